/* The front end: lists, adds, finds and deletes notes. */
/* global Mustache */
"use strict";

const state = { notes: [], token: localStorage.getItem("token"), formatters: {} };
const template = document.getElementById("note-template").textContent;

state.formatters = {
  plain: (text) => text,
  links: (text) => text.replace(/((https?:\/\/)?([\w-]+\.?)+)+$/, '<a href="$1">$1</a>'),
  lines: (text) => text.split("\n").join("<br>"),
  lines: (text) => text.split("\n").join("<br>\n"),
};

function say(message, isError) {
  const line = document.getElementById("message");
  line.textContent = message;
  line.className = isError ? "error" : "";
}

async function call(method, path, body) {
  const headers = { "Content-Type": "application/json" };
  if (state.token) {
    headers.Authorization = "Bearer " + state.token;
  }
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  const content = answer.status === 204 ? {} : await answer.json();
  if (!answer.ok) {
    throw new Error(content.error || answer.statusText);
  }
  return content;
}

function format(note) {
  const wanted = new URLSearchParams(location.search).get("format") || "lines";
  const formatter = state.formatters[wanted];
  return formatter ? formatter(note.body) : note.body;
}

function element(note) {
  const item = document.createElement("li");
  const view = Object.assign({ html: format(note) }, note);
  item.innerHTML = Mustache.render(template, view);
  const remove = document.createElement("button");
  remove.textContent = "Delete";
  remove.addEventListener("click", () => removeNote(note.id));
  item.appendChild(remove);
  return item;
}

function show(notes) {
  const list = document.getElementById("notes");
  const before = list.children.length;
  list.replaceChildren(...notes.map(element));
  say(notes.length + " notes");
}

async function load(term) {
  const query = term ? "?q=" + encodeURIComponent(term) : "";
  const answer = await call("GET", "/api/notes" + query);
  state.notes = answer.notes;
  if (term) {
    document.title = "Search: " + term;
  }
  show(state.notes);
}

async function addNote(event) {
  event.preventDefault();
  const form = event.target;
  const tags = form.elements.tags.value.split(",").map((tag) => tag.trim()).filter(Boolean);
  const note = { title: form.elements.title.value, body: form.elements.body.value, tags };
  try {
    await call("POST", "/api/notes", note);
    form.reset();
    await load();
  } catch (error) {
    say(error.message, true);
  }
}

async function removeNote(id) {
  try {
    await call("DELETE", "/api/notes/" + id);
    await load();
  } catch (error) {
    say(error.message, true);
  }
}

async function signIn(event) {
  event.preventDefault();
  const form = event.target;
  try {
    const who = { user: form.elements.user.value, password: form.elements.password.value };
    const answer = await call("POST", "/login", who);
    state.token = answer.token;
    localStorage.setItem("token", state.token);
    say("Signed in as " + who.user);
  } catch (error) {
    say(error.message, true);
  }
}

function compute() {
  const words = state.notes.reduce((sum, note) => sum + note.body.split(/\s+/).length, 0);
  const formula = document.getElementById("formula").value;
  const value = new Function("notes", "words", "return " + formula)(state.notes.length, words);
  if (value === NaN) {
    say("The formula gives no number", true);
    return;
  }
  document.getElementById("result").textContent = String(value);
}

function restoreView() {
  const wanted = decodeURIComponent(location.hash.slice(1));
  if (wanted) {
    document.getElementById("result").innerHTML = "View: " + wanted;
    // eslint-disable-next-line
    state.view = eval("(" + wanted + ")");
    document.getElementById("search").value = state.view.term || "";
    return load(state.view.term);
  }
  return load();
}

window.addEventListener("message", (event) => {
  if (event.data.kind === "note") {
    document.getElementById("message").innerHTML = "Clipped: " + event.data.title;
  }
});

document.getElementById("new-note").addEventListener("submit", addNote);
document.getElementById("sign-in").addEventListener("submit", signIn);
document.getElementById("compute").addEventListener("click", compute);
document.getElementById("search").addEventListener("input", (event) => load(event.target.value));
restoreView();
