//! The page for people: the words that stand around, and tables made from schemas and constants.

use crate::{
    messages::{self, Book},
    schemas,
};
use assay_wire::{
    CloseCode, Limits, MESSAGE_MAX, MESSAGE_MAX_TRUSTED, SUBPROTOCOL,
    routes::{ANALYZERS, GATEWAY_HOST_ENV, GATEWAY_PORT, GATEWAY_PORT_ENV, Reach, TYPES},
};
use serde_json::Value;
use std::fmt::Write as _;

const INTRO: &str = "# The wire protocol

<!-- Written by `UPDATE_DOCS=1 cargo test -p assay-wire --test reference` from the types in `crates/wire`. Change them, not this page. -->

JSON text frames over WebSocket. There are two dialects: a service speaks flat objects, the gateway speaks an
envelope with `data`. Clients of the older Python system are understood unchanged; fields that are not known are
ignored, numbers may come as text, and an `id` or `timestamp` that is missing is filled in. What we send is described by
JSON Schemas, which also hold the requests that we take:
";

/// The whole page.
pub(crate) fn write() -> String {
    let mut page = INTRO.to_owned();
    for book in Book::ALL {
        let name = book.name();
        let _ = writeln!(
            page,
            "[{name}](protocol/{name}.schema.json){}",
            if *book == Book::ServiceReplies { "." } else { "," }
        );
    }
    page += &endpoints();
    page += &connecting();
    for (title, about, requests, replies) in [
        ("The gateway", GATEWAY, Book::GatewayRequests, Book::GatewayReplies),
        ("A service", SERVICE, Book::ServiceRequests, Book::ServiceReplies),
    ] {
        let _ = write!(page, "\n## {title}\n\n{about}\n");
        page += &section("What a client sends", requests);
        page += &section("What it is sent", replies);
    }
    page += &bodies();
    page
}

const GATEWAY: &str = "A connection carries any number of requests at once: heartbeats, cancels and further requests are \
answered while analyses run. Replies carry the `id` of the request as `correlation_id`.";

const SERVICE: &str = "Everything is answered at any time, also while an analysis runs on the same connection. After the \
reply to an analysis the connection stays open for clients that asked for the subprotocol; for others it is closed by 1000, \
\"Analysis complete\", because they read until it closes.";

fn endpoints() -> String {
    let mut text =
        "\n## Where\n\n| endpoint | default address | environment |\n|---|---|---|\n".to_owned();
    let _ = writeln!(
        text,
        "| gateway | `ws://localhost:{GATEWAY_PORT}` | `{GATEWAY_HOST_ENV}`, `{GATEWAY_PORT_ENV}` |"
    );
    for row in ANALYZERS {
        let _ = writeln!(
            text,
            "| {} | `ws://localhost:{}` | `{}`, or with commas `{}` |",
            row.analyzer, row.port, row.url_env, row.urls_env
        );
    }
    text += "\nWhat the gateway's clients ask for, and who does it. Where `service` is absent, the type decides; a type that is \
        not known goes by its prefix.\n\n| `analysis_type` | `service` | analyzer |\n|---|---|---|\n";
    for row in TYPES {
        let reach = match row.reach {
            Reach::One(analyzer) => analyzer.as_str(),
            Reach::All => "all that are built",
        };
        let _ = writeln!(text, "| `{}` | `{}` | {reach} |", row.word, row.service);
    }
    text
}

fn connecting() -> String {
    let limits = Limits::new();
    let keep_alive = limits.keep_alive.unwrap();
    let mut text = format!(
        "\n## How\n\n\
        - **Subprotocol** `{SUBPROTOCOL}`: asks for a connection that stays open. Optional.\n\
        - **Token**, where the server wants one: `Authorization: Bearer …`, or `?token=…` in the URL.\n\
        - **Origin**: a browser's page is let in only from an origin that the server allows; programs send none.\n\
        - **Size** of a message, all its fragments together: {} MiB; {} MiB from who has a token and from configured \
        services. Refused by its header, before it is read, with an `error` of code `too_large` and the close code 1009.\n\
        - **Keep-alive**: who is silent for {} s is sent a ping, who is silent for {} s is left. Pings of the client are answered.\n\
        - **Who does not read** is left when what waits was not taken within {} s, and a second more for each 128 KiB.\n\
        - Text only; a binary frame is closed on by 1003. No compression is agreed on.\n\
        \n| close code | |\n|---|---|\n",
        MESSAGE_MAX >> 20,
        MESSAGE_MAX_TRUSTED >> 20,
        keep_alive.ping_every.as_secs(),
        keep_alive.gone_after.as_secs(),
        limits.write_within.as_secs(),
    );
    for (code, about) in [
        (CloseCode::NORMAL, "all was said"),
        (CloseCode::AWAY, "the server stops"),
        (CloseCode::PROTOCOL, "the client breaks the protocol of frames"),
        (CloseCode::UNSUPPORTED, "a binary frame"),
        (CloseCode::NOT_UTF8, "text that is not UTF-8"),
        (CloseCode::POLICY, "the client may not do what it did"),
        (CloseCode::TOO_LARGE, "a message above the limit"),
        (CloseCode::INTERNAL, "a fault of the server"),
        (CloseCode::RESTART, "the server restarts: come back"),
        (CloseCode::TRY_LATER, "too much to do: come back later"),
    ] {
        let _ = writeln!(text, "| {code} | {about} |");
    }
    text
}

fn section(title: &str, book: Book) -> String {
    let mut text = format!("\n### {title}\n");
    let mut shown = Vec::new();
    let all = messages::of(book);
    for message in &all {
        if shown.contains(&message.about) {
            continue;
        }
        shown.push(message.about);
        let same = all.iter().filter(|other| other.about == message.about);
        let names: Vec<String> = same.map(|other| format!("`{}`", other.kind)).collect();
        let names = names.join(", ").replace(" (", "` (").replace(")`", ")");
        let _ =
            write!(text, "\n**{names}** {}\n\n```json\n{}\n```\n", message.about, message.example);
    }
    text
}

/// The bodies and words that messages refer to.
fn bodies() -> String {
    let mut types: Vec<(String, Value)> = Vec::new();
    for book in Book::ALL {
        let mut schema = schemas::of(*book);
        let Value::Object(defined) = schema["$defs"].take() else { continue };
        for (name, value) in defined {
            if !name.starts_with("message.") && types.iter().all(|(known, _)| *known != name) {
                types.push((name, value));
            }
        }
    }
    types.sort_by(|one, other| one.0.cmp(&other.0));
    let mut fields = "\n## Bodies\n".to_owned();
    let mut words = "\n## Words\n".to_owned();
    for (name, schema) in types.iter().filter(|(name, _)| TOLD.contains(&name.as_str())) {
        let about = one_line(&schema["description"]);
        if schema["properties"].is_object() {
            let _ = write!(fields, "\n### {name}\n\n{about}\n\n{}", table_of_fields(schema));
        } else {
            let _ = write!(words, "\n### {name}\n\n{about}\n\n{}", table_of_words(schema));
        }
    }
    fields + &words
}

/// What is told on the page. Events and what they are made of are in the schemas only.
const TOLD: &[&str] = &[
    "AnalysisRequest",
    "AnalysisStatus",
    "BatchItem",
    "BatchRequest",
    "BatchSummary",
    "CancelWish",
    "ErrorCode",
    "Fault",
    "Health",
    "HealthStatus",
    "Progress",
    "Register",
    "Registration",
    "ServiceName",
    "StatusReport",
    "StatusWish",
    "TaskState",
    "TaskStatus",
];

fn table_of_fields(schema: &Value) -> String {
    let mut text = "| field | is | |\n|---|---|---|\n".to_owned();
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in schema["properties"].as_object().unwrap() {
        let always = if required.contains(&name.as_str()) { "" } else { ", optional" };
        let _ = writeln!(
            text,
            "| `{name}` | {}{always} | {} |",
            kind(field),
            one_line(&field["description"])
        );
    }
    text
}

/// What a value is, in a word or two.
fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        return match name {
            _ if TOLD.contains(&name) => format!("[{name}](#{})", name.to_lowercase()),
            "AnyJson" => "any JSON".to_owned(),
            "Event" => "object".to_owned(),
            _ => "string".to_owned(),
        };
    }
    if let Some(options) = schema["anyOf"].as_array() {
        let named = options.iter().find(|option| option["type"] != "null");
        return named.map_or_else(|| "null".to_owned(), kind);
    }
    let list = |schema: &Value| match &schema["items"] {
        Value::Null => "list".to_owned(),
        items => format!("list of {}", kind(items)),
    };
    match &schema["type"] {
        Value::String(word) if word == "array" => list(schema),
        Value::String(word) => word.clone(),
        Value::Array(words) => {
            let words: Vec<&str> =
                words.iter().filter_map(Value::as_str).filter(|word| *word != "null").collect();
            words.join(" or ")
        }
        _ => "any JSON".to_owned(),
    }
}

fn table_of_words(schema: &Value) -> String {
    let mut text = "| word | |\n|---|---|\n".to_owned();
    let options = schema["oneOf"].as_array().map_or(std::slice::from_ref(schema), Vec::as_slice);
    for option in options {
        let about = if option == schema { String::new() } else { one_line(&option["description"]) };
        let single = option["const"].as_str().into_iter();
        let several = option["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
        for word in single.chain(several) {
            let _ = writeln!(text, "| `{word}` | {about} |");
        }
    }
    text
}

fn one_line(text: &Value) -> String {
    text.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}
