// The official OpenAI SDK for Node with only its base URL changed, against the real binary and the simulator.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";

import OpenAI from "openai";

const here = dirname(fileURLToPath(import.meta.url));
const binary = process.env.PLIMSOLL_BIN ?? join(here, "..", "..", "target", "debug", "plimsoll");
const hello = [{ role: "user", content: "When will my parcel arrive?" }];
const running = [];
let client, simulator;

function freePort() {
  return new Promise((resolve, reject) => {
    const listener = createServer().once("error", reject);
    listener.listen(0, "127.0.0.1", () => {
      const { port } = listener.address();
      listener.close(() => resolve(port));
    });
  });
}

async function start(args, url) {
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  child.stdout.on("data", (data) => (output += data));
  child.stderr.on("data", (data) => (output += data));
  running.push(child);
  const end = Date.now() + 20_000;
  while (Date.now() < end && child.exitCode === null) {
    const ready = await fetch(url).then((response) => response.ok, () => false);
    if (ready) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`plimsoll ${args.join(" ")} is not ready:\n${output}`);
}

async function script(...rules) {
  const response = await fetch(`${simulator}/sim/script`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ rule: rules }),
  });
  assert.equal(response.status, 200, await response.text());
}

before(async () => {
  const [sim, data, control] = [await freePort(), await freePort(), await freePort()];
  simulator = `http://127.0.0.1:${sim}`;
  const folder = mkdtempSync(join(tmpdir(), "plimsoll-node-"));
  cpSync(join(here, "..", "workspace"), folder, { recursive: true });
  const addresses = `data_address = "127.0.0.1:${data}"\ncontrol_address = "127.0.0.1:${control}"`;
  for (const file of ["plimsoll.toml", "systems/remote/system.toml", "systems/recall/system.toml"]) {
    const text = readFileSync(join(folder, file), "utf8");
    writeFileSync(join(folder, file), text.replaceAll("{{addresses}}", addresses).replaceAll("{{provider}}", simulator));
  }
  await start(["simulate", "--address", `127.0.0.1:${sim}`], `${simulator}/v1/models`);
  await start(["serve", "--workspace", folder], `http://127.0.0.1:${control}/readyz`);
  client = new OpenAI({ baseURL: `http://127.0.0.1:${data}/v1`, apiKey: "none", maxRetries: 0 });
});

beforeEach(() => script());
after(() => running.forEach((child) => child.kill("SIGKILL")));

test("a plain completion comes back as the provider wrote it", async () => {
  const { data, response } = await client.chat.completions
    .create({ model: "chat", messages: hello })
    .withResponse();
  assert.ok(data.choices[0].message.content);
  assert.equal(data.model, "sim-main");
  assert.ok(data.usage.total_tokens > 0);
  assert.equal(response.headers.get("plimsoll-outcome"), "served");
  assert.ok(response.headers.get("plimsoll-decision"));
});

test("a stream says what a plain answer says", async () => {
  const plain = await client.chat.completions.create({ model: "chat", messages: hello });
  for (const model of ["chat", "stream-window", "stream-buffer"]) {
    const stream = await client.chat.completions.create({
      model,
      messages: hello,
      stream: true,
      stream_options: { include_usage: true },
    });
    let text = "";
    let usage;
    for await (const chunk of stream) {
      text += chunk.choices[0]?.delta?.content ?? "";
      usage = chunk.usage ?? usage;
    }
    assert.equal(text, plain.choices[0].message.content, model);
    assert.ok(usage.total_tokens > 0, model);
  }
});

test("the stream helper puts a tool call together", async () => {
  const parameters = { type: "object", properties: { order: { type: "integer" } }, required: ["order"] };
  const runner = client.chat.completions.stream({
    model: "chat",
    messages: hello,
    tools: [{ type: "function", function: { name: "track", parameters } }],
    tool_choice: "required",
  });
  const completion = await runner.finalChatCompletion();
  const call = completion.choices[0].message.tool_calls[0];
  assert.equal(call.function.name, "track");
  assert.equal(typeof JSON.parse(call.function.arguments).order, "number");
});

test("a structured output fits its schema", async () => {
  const schema = { type: "object", properties: { urgent: { type: "boolean" } }, required: ["urgent"] };
  const completion = await client.chat.completions.create({
    model: "chat",
    messages: hello,
    response_format: { type: "json_schema", json_schema: { name: "sorted", schema } },
  });
  assert.equal(typeof JSON.parse(completion.choices[0].message.content).urgent, "boolean");
});

test("several choices and logprobs pass", async () => {
  const completion = await client.chat.completions.create({ model: "chat", messages: hello, n: 2, logprobs: true });
  assert.equal(completion.choices.length, 2);
  assert.ok(completion.choices[0].logprobs.content.length > 0);
});

test("the second provider answers while the first is away", async () => {
  await script({ match: { model: "sim-main" }, do: "reset" });
  const { data, response } = await client.chat.completions.create({ model: "chat", messages: hello }).withResponse();
  assert.equal(data.model, "sim-second");
  assert.equal(response.headers.get("plimsoll-outcome"), "fell_back");
});

test("errors are the SDK's own classes", async () => {
  const expected = [
    ["reset", OpenAI.InternalServerError, "model_reset"],
    ["quota", OpenAI.RateLimitError, "provider_quota"],
    ["context_length", OpenAI.BadRequestError, "context_too_long"],
  ];
  for (const [fault, type, code] of expected) {
    await script({ match: { model: "sim-main" }, do: fault });
    const error = await client.chat.completions.create({ model: "bare", messages: hello }).catch((error) => error);
    assert.ok(error instanceof type, `${fault}: ${error}`);
    assert.equal(error.code, code);
  }
});

test("a stream that breaks is an error", async () => {
  await script({ match: { model: "sim-main" }, do: { stall: { after: 3 } } });
  const stream = await client.chat.completions.create({ model: "chat", messages: hello, stream: true });
  await assert.rejects(async () => {
    for await (const chunk of stream) assert.ok(chunk);
  }, OpenAI.APIError);
});

test("a typed function takes variables", async () => {
  const completion = await client.chat.completions.create({
    model: "typed",
    messages: [],
    plimsoll: { variables: { customer: "Ada", text: "My parcel has not come." } },
  });
  assert.ok(["billing", "delivery"].includes(JSON.parse(completion.choices[0].message.content).queue));
});

test("models are the systems", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.ok(names.includes("chat") && names.includes("score"));
});
