#!/usr/bin/env node
// @ts-check
// A gateway in one file, without dependencies: hears of every message that the policies let through, prints it, and
// answers "ping" with "pong".
//
//   node gateway.mjs /path/to/imsgd.sock            over the socket of a running daemon
//   node gateway.mjs --stdio imsgd rpc              over a child, as a gateway with a cliPath does
//   node gateway.mjs --stdio ./ssh-wrapper.sh rpc   over SSH
//
//   --consumer NAME   the name under which imsgd keeps its place (default: example)
//   --since ROWID     where a new name begins, instead of with what comes
//   --once N          exit with 0 after N messages of others
//
// The types are those of imsgd.d.ts beside this; they are comments, so that node runs it as it is.

/** @import { Message, Methods, Notifications, WatchSubscribeParams } from "./imsgd.d.ts" */
/** @typedef {{ [Name in keyof Notifications]: { method: Name; params: Notifications[Name] } }[keyof Notifications]} Notified */
/** @typedef {{ method?: undefined; id: number; result?: unknown; error?: { message: string; data?: unknown } }} Answered */

import net from "node:net";
import { spawn } from "node:child_process";
import readline from "node:readline";

const RECONNECT_MS = 1000;

/** imsgd answered, and said no. */
class Refused extends Error {}

const options = { consumer: "example", since: 0, once: 0, stdio: false, rest: /** @type {string[]} */ ([]) };
for (let args = process.argv.slice(2), arg; (arg = args.shift()) !== undefined; ) {
  if (arg === "--stdio") {
    options.stdio = true;
    options.rest = args.splice(0);
  } else if (arg === "--consumer") options.consumer = String(args.shift());
  else if (arg === "--since") options.since = Number(args.shift());
  else if (arg === "--once") options.once = Number(args.shift());
  else options.rest.push(arg);
}
if (options.rest.length === 0 || (!options.stdio && options.rest.length > 1)) {
  console.error("usage: gateway.mjs [--consumer NAME] [--since ROWID] [--once N] SOCKET | --stdio COMMAND [ARGUMENT…]");
  process.exit(2);
}

// What was not acknowledged comes again after a reconnect; what was is gone for good.
/** @type {Set<string>} */
const heard = new Set();

let connection = connect();

function connect() {
  const { input, output, close } = options.stdio ? child() : socket();
  /** @type {Map<number, { resolve: (result: any) => void; reject: (error: Error) => void }>} */
  const pending = new Map();
  let lastId = 0;
  let isOpen = true;

  const end = (/** @type {string} */ why) => {
    if (!isOpen) return;
    isOpen = false;
    console.error(`gateway: ${why}; again in ${RECONNECT_MS} ms`);
    for (const { reject } of pending.values()) reject(new Error(why));
    close();
    setTimeout(() => (connection = connect()), RECONNECT_MS);
  };

  /**
   * @template {keyof Methods} Name
   * @param {Name} method
   * @param {Methods[Name]["params"]} params
   * @returns {Promise<Methods[Name]["result"]>}
   */
  const call = (method, params) =>
    new Promise((resolve, reject) => {
      const id = ++lastId;
      pending.set(id, { resolve, reject });
      output.write(JSON.stringify({ jsonrpc: "2.0", id, method, params }) + "\n");
    });

  const take = (/** @type {string} */ line) => {
    /** @type {Notified | Answered} */
    const said = JSON.parse(line);
    if (said.method === "message") return takeIn(said.params);
    // Row numbers that were kept somewhere mean nothing any more. Here are none.
    if (said.method === "watch.reset") return console.error(`gateway: ${said.params.detail}`);
    // The subscription is over, as the database went away.
    if (said.method === "error") return end(said.params.error.message);
    // Others may come with a newer imsgd.
    if (said.method !== undefined) return;
    const request = pending.get(said.id);
    pending.delete(said.id);
    if (said.error) request?.reject(new Refused(`${said.error.message}: ${JSON.stringify(said.error.data)}`));
    else request?.resolve(said.result);
  };

  // One after the other, so that an acknowledgement never covers what is still being answered.
  let work = Promise.resolve();
  const takeIn = (/** @type {Notifications["message"]} */ { subscription, message, cursor }) => {
    work = work.then(async () => {
      await hear(message);
      if (cursor) await call("watch.ack", { subscription, cursor });
      if (options.once > 0 && heard.size >= options.once) finish();
    });
    // Not acknowledged: it comes again.
    work = work.catch((error) => end(error.message));
  };

  const lines = readline.createInterface({ input, crlfDelay: Infinity });
  lines.on("line", take);
  lines.on("close", () => end("connection closed"));
  for (const stream of new Set([input, output])) stream.on("error", (error) => end(error.message));

  /** @type {WatchSubscribeParams} */
  const subscribe = { attachments: true, consumer: options.consumer, ack: true };
  if (options.since > 0) subscribe.since_rowid = options.since;
  call("watch.subscribe", subscribe).then(
    (result) => console.error(`gateway: subscribed (${result.subscription}) as ${options.consumer}`),
    (error) => end(error.message),
  );
  return { call, close };
}

function socket() {
  const stream = net.connect(options.rest[0] ?? "");
  return { input: stream, output: stream, close: () => stream.destroy() };
}

function child() {
  const [command = "", ...args] = options.rest;
  const process = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  process.on("error", (error) => process.stdout.destroy(error));
  return { input: process.stdout, output: process.stdin, close: () => process.stdin.end() };
}

/** @param {Message} message */
async function hear(message) {
  if (message.is_from_me || heard.has(message.guid)) return;
  const { route, context = [] } = message.policy ?? {};
  for (const before of context) console.log(`  (before: ${before.sender}: ${before.text})`);
  console.log(`${message.id} [${route}] ${message.sender}: ${message.text}`);
  if (message.text.toLowerCase().startsWith("ping")) {
    await answer(message, "pong" + message.text.slice("ping".length));
  }
  heard.add(message.guid);
}

/**
 * Named after what it answers: however often this is tried, it is sent once.
 * @param {Message} message
 * @param {string} text
 */
async function answer(message, text) {
  const params = { chat_id: message.chat_id, text, idempotency_key: `answer-to-${message.guid}` };
  try {
    const { id, guid } = await connection.call("send", params);
    console.log(`  answered: ${text} (row ${id}, ${guid})`);
  } catch (error) {
    // Without an answer from imsgd nothing is known: the message comes again, and the key keeps it from being sent twice.
    if (!(error instanceof Refused)) throw error;
    console.error(`gateway: not answered: ${error.message}`);
  }
}

function finish() {
  connection.close();
  process.exit(0);
}
