// Runs one scenario with Anthropic's SDK for Node and prints, as JSON, what its user sees.
// usage: node anthropic.mjs BASE_URL SCENARIO MODEL
import Anthropic from "@anthropic-ai/sdk";

const [baseURL, scenario, model] = process.argv.slice(2);
const client = new Anthropic({ baseURL, apiKey: "sk-of-the-caller", timeout: 20_000 });
const asked = { model, max_tokens: 9000, messages: [{ role: "user", content: "Grüß dich 👋" }] };
const tools = [{ name: "get_weather", input_schema: { type: "object", properties: { city: { type: "string" } } } }];

async function message() {
  const { data, request_id } = await client.messages.create(asked).withResponse();
  return { content: data.content, stop: data.stop_reason, usage: data.usage, request_id };
}

const scenarios = {
  whole: message,
  async streamed() {
    const { content, stop_reason, usage } = await client.messages.stream(asked).finalMessage();
    return { content, stop: stop_reason, usage };
  },
  async events() {
    const seen = [];
    const failure = { name: null };
    try {
      for await (const event of await client.messages.create({ ...asked, stream: true })) seen.push(event.type);
    } catch (error) {
      const isApiError = error instanceof Anthropic.APIError;
      Object.assign(failure, { name: error.constructor.name, isApiError, error: error.error?.error });
    }
    return { seen, failure };
  },
  async tools() {
    const first = await client.messages.create({ ...asked, tools });
    const calls = first.content.filter((block) => block.type === "tool_use");
    const results = calls.map(({ id }) => ({ type: "tool_result", tool_use_id: id, content: "Sunny" }));
    const more = [{ role: "assistant", content: first.content }, { role: "user", content: results }];
    const second = await client.messages.create({ ...asked, tools, messages: [...asked.messages, ...more] });
    return { calls: calls.map(({ name, input }) => ({ name, input })), content: second.content };
  },
  async failure() {
    try {
      await client.messages.create(asked);
    } catch (error) {
      const { status, requestID, type } = error;
      return { name: error.constructor.name, status, requestID, type: type ?? error.error?.error?.type };
    }
  },
  async count() {
    return await client.messages.countTokens({ model, messages: asked.messages });
  },
  async models() {
    const listed = [];
    for await (const found of client.models.list()) listed.push({ id: found.id, name: found.display_name });
    return { listed, retrieved: (await client.models.retrieve(model)).id };
  },
};

console.log(JSON.stringify(await scenarios[scenario]()));
