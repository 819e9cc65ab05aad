// Runs one scenario with OpenAI's SDK for Node and prints, as JSON, what its user sees.
// usage: node sdk.mjs BASE_URL SCENARIO MODEL
import OpenAI from "openai";

const [baseURL, scenario, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "sk-of-the-caller", timeout: 20_000 });
const messages = [{ role: "user", content: "Say five words, please." }];
const tools = [{ type: "function", function: { name: "look_up", parameters: { type: "object", properties: {} } } }];

async function streamed() {
  const pieces = [];
  const failure = { name: null };
  try {
    for await (const chunk of await client.chat.completions.create({ model, messages, stream: true })) {
      pieces.push(chunk.choices[0]?.delta?.content ?? "");
    }
  } catch (error) {
    Object.assign(failure, { name: error.constructor.name, isApiError: error instanceof OpenAI.APIError, code: error.code });
  }
  return { text: pieces.join(""), failure };
}

const scenarios = {
  async whole() {
    const { data, request_id } = await client.chat.completions.create({ model, messages, seed: 7, future: [1.5] }).withResponse();
    return { text: data.choices[0].message.content, request_id };
  },
  streamed,
  async helper() {
    const runner = client.chat.completions.stream({ model, messages });
    return { text: await runner.finalContent() };
  },
  async tools() {
    const answer = await client.chat.completions.create({ model, messages, tools });
    const final = await client.chat.completions.stream({ model, messages, tools }).finalChatCompletion();
    return { calls: [answer, final].map((each) => each.choices[0].message.tool_calls[0].function) };
  },
  async failure() {
    try {
      await client.chat.completions.create({ model, messages });
    } catch (error) {
      const { status, code, param, requestID } = error;
      return { name: error.constructor.name, status, code, param, requestID };
    }
  },
  async models() {
    const listed = [];
    for await (const found of client.models.list()) listed.push(found.id);
    return { listed, retrieved: (await client.models.retrieve(model)).id };
  },
};

console.log(JSON.stringify(await scenarios[scenario]()));
