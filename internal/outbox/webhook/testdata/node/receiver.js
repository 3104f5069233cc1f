// A subscriber that verifies with the packages that real ones use: npm's
// standardwebhooks for v1, Node's own Ed25519 for v1a. It prints its port, reads
// one key a line from its input (whsec_… or whpk_…), accepts a message that
// every key verifies, and prints a line for each message.
"use strict";

const crypto = require("node:crypto");
const http = require("node:http");
const readline = require("node:readline");
const { Webhook } = require("standardwebhooks");

let keys = [];

function verifyEd25519(key, body, headers) {
  const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), Buffer.from(key.slice("whpk_".length), "base64")]);
  const publicKey = crypto.createPublicKey({ key: der, format: "der", type: "spki" });
  const content = Buffer.from(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`);
  const good = headers["webhook-signature"].split(" ").some((one) => {
    const [scheme, signature] = one.split(",");
    return scheme === "v1a" && crypto.verify(null, content, publicKey, Buffer.from(signature, "base64"));
  });
  if (!good) throw new Error("No matching signature found");
  return JSON.parse(body);
}

const server = http.createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const body = Buffer.concat(parts).toString();
    const line = { id: request.headers["webhook-id"], keys: keys.length };
    try {
      for (const key of keys) {
        const event = key.startsWith("whpk_")
          ? verifyEd25519(key, body, request.headers)
          : new Webhook(key).verify(body, request.headers);
        line.type = event.type;
      }
      response.statusCode = 204;
    } catch (error) {
      line.error = error.message;
      response.statusCode = 400;
    }
    response.end();
    console.log(JSON.stringify(line));
  });
});

server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));

readline.createInterface({ input: process.stdin })
  .on("line", (line) => {
    keys = JSON.parse(line);
    console.log(JSON.stringify({ known: keys.length }));
  })
  .on("close", () => process.exit(0));
