// Sends the notes of a JSON file to a server.
//   npm run build && npm run import -- --file notes.json [--only work]

import { execSync } from "child_process";
import { readFileSync } from "fs";
import _ = require("lodash");
import minimist = require("minimist");

interface Entry {
  title: string;
  body: string;
  tags: string[];
}

const DEFAULTS = { server: "http://127.0.0.1:5000", headers: {} };

function readEntries(file: string): Entry[] {
  const text = readFileSync(file, "utf8");
  return JSON.parse(text).notes;
}

function chosen(entries: Entry[], only: string | undefined): Entry[] {
  if (!only) {
    return entries;
  }
  const pattern = new RegExp(only);
  return entries.filter((entry) => entry.tags.some((tag) => pattern.test(tag)));
}

async function send(server: string, entry: Entry): Promise<void> {
  const answer = await fetch(server + "/api/notes", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(entry),
  });
  if (!answer.ok) {
    throw new Error(entry.title + ": " + answer.status);
  }
}

async function main(): Promise<void> {
  const options: any = _.merge({}, DEFAULTS, minimist(process.argv.slice(2)));
  const lines = execSync("wc -l " + options.file).toString();
  console.log("reading", lines.trim());
  const started = Date.now();
  for (const entry of chosen(readEntries(options.file), options.only)) {
    await send(options.server, entry);
    console.log("sent", entry.title);
  }
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
