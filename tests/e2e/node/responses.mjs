// Runs one scenario of the Responses API with OpenAI's SDK for Node and prints, as JSON, what its user sees.
// usage: node responses.mjs BASE_URL SCENARIO MODEL
import OpenAI from "openai";

const [baseURL, scenario, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey: "sk-of-the-caller", timeout: 20_000 });
const asked = { model, input: "Grüß dich 👋" };

function shown({ output_text, output, status }) {
  const calls = output.filter(({ type }) => type === "function_call");
  return { text: output_text, status, calls: calls.map(({ name, arguments: given }) => ({ name, given })) };
}

const scenarios = {
  async whole() {
    return shown(await client.responses.create(asked));
  },
  async streamed() {
    return shown(await client.responses.stream(asked).finalResponse());
  },
  async failure() {
    try {
      await client.responses.create({ ...asked, previous_response_id: "resp_0" });
    } catch (error) {
      const { status, code, param, requestID } = error;
      return { name: error.constructor.name, status, code, param, requestID };
    }
  },
};

console.log(JSON.stringify(await scenarios[scenario]()));
