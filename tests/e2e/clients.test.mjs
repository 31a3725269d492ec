// The official Node client, unchanged but for the base URL, against the local proxy.

import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";

const model = "subrosa-demo";
const client = new OpenAI({
  baseURL: `${process.env.SUBROSA_E2E_URL}/v1`,
  apiKey: "unused",
  maxRetries: 0,
  timeout: 120_000,
});
const messages = [{ role: "user", content: "Hello!" }];
const schema = {
  type: "object",
  properties: { city: { type: "string", enum: ["Oslo", "Rome"] } },
  required: ["city"],
  additionalProperties: false,
};
const tool = { type: "function", function: { name: "get_weather", parameters: schema } };

test("a chat answer carries text, verdict and receipt", async () => {
  const { data, response } = await client.chat.completions
    .create({ model, messages, max_tokens: 32 })
    .withResponse();
  assert.ok(data.choices[0].message.content.trim());
  assert.match(response.headers.get("subrosa-verdict"), /NOT PROTECTED \(development\)/);
  assert.match(response.headers.get("subrosa-receipt"), /^[0-9a-f]{16}$/);
});

test("a stream gives the same text as a whole answer", async () => {
  const settings = { model, messages, temperature: 0, max_tokens: 32 };
  const whole = await client.chat.completions.create(settings);
  let text = "";
  let usage;
  const stream = await client.chat.completions.create({
    ...settings,
    stream: true,
    stream_options: { include_usage: true },
  });
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? "";
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, whole.choices[0].message.content);
  assert.ok(usage.completion_tokens > 0);
});

test("a seed repeats an answer", async () => {
  const settings = { model, messages, temperature: 1, seed: 11, max_tokens: 24 };
  const answers = [];
  for (let round = 0; round < 2; round += 1) {
    answers.push((await client.chat.completions.create(settings)).choices[0].message.content);
  }
  assert.equal(answers[0], answers[1]);
});

test("a required tool is called with arguments of its schema", async () => {
  const answer = await client.chat.completions.create({
    model,
    messages,
    tools: [tool],
    tool_choice: "required",
    temperature: 0,
    max_tokens: 96,
  });
  const [call] = answer.choices[0].message.tool_calls;
  assert.equal(call.function.name, "get_weather");
  assert.deepEqual(Object.keys(JSON.parse(call.function.arguments)), ["city"]);
});

test("an answer follows a JSON schema", async () => {
  const answer = await client.chat.completions.create({
    model,
    messages,
    temperature: 0,
    max_tokens: 96,
    response_format: { type: "json_schema", json_schema: { name: "w", strict: true, schema } },
  });
  assert.deepEqual(Object.keys(JSON.parse(answer.choices[0].message.content)), ["city"]);
});

test("embeddings are vectors", async () => {
  const answer = await client.embeddings.create({ model, input: ["a", "b"] });
  assert.equal(answer.data.length, 2);
  assert.ok(answer.data[0].embedding.length > 8);
});

test("a response streams to its end", async () => {
  const stream = await client.responses.create({
    model,
    input: "Hello!",
    max_output_tokens: 32,
    store: false,
    stream: true,
  });
  const events = [];
  for await (const event of stream) events.push(event);
  assert.equal(events[0].type, "response.created");
  assert.match(events.at(-1).type, /^response\.(completed|incomplete)$/);
});

test("an unsupported field is named", async () => {
  await assert.rejects(
    client.chat.completions.create({ model, messages, web_search_options: {} }),
    (error) => error instanceof OpenAI.BadRequestError && error.param === "web_search_options",
  );
});

test("an unknown model is not found", async () => {
  await assert.rejects(
    client.chat.completions.create({ model: "nobody", messages }),
    OpenAI.NotFoundError,
  );
});
