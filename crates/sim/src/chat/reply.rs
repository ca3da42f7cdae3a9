//! A reply, before it is written: the choices, their finish reasons and what they count.

use serde_json::json;

use super::request::{ChatRequest, Form};
use crate::answer::{self, pieces};
use crate::sample;

/// What a model answers to a chat request.
#[derive(Debug)]
pub(crate) struct Reply<'a> {
    pub(crate) model: &'a str,
    /// Follows from the messages; ids are made of it.
    pub(crate) hash: u64,
    pub(crate) choices: Vec<Choice>,
    pub(crate) usage: Option<Usage>,
    /// How many alternatives each token is told with.
    pub(crate) logprobs: Option<u32>,
}

/// One of the answers.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) content: Content,
    pub(crate) finish: &'static str,
}

/// What an answer consists of.
#[derive(Debug)]
pub(crate) enum Content {
    Text(String),
    Refusal(String),
    Tool { name: String, arguments: String },
}

/// What is billed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) prompt: u64,
    pub(crate) completion: u64,
}

/// How a script bends an answer that is given.
#[derive(Clone, Debug, Default)]
pub(crate) enum Twist {
    #[default]
    Straight,
    /// Exactly this text.
    Text(String),
    /// An answer that breaks the form that was asked for.
    WrongForm,
    /// Half of the answer, with this finish reason.
    Half(&'static str),
    /// A refusal in place of an answer.
    Refusal,
    /// No usage block.
    NoUsage,
}

impl Content {
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Refusal(text) => text,
            Self::Tool { arguments, .. } => arguments,
        }
    }
}

impl<'a> Reply<'a> {
    /// The answer to `request`, bent by `twist`.
    pub(crate) fn to(request: &'a ChatRequest<'_>, twist: &Twist) -> Self {
        let messages = request.messages.get().as_bytes();
        let hash = answer::hash(0, messages);
        let form = request.form();
        let choices: Vec<Choice> = (0..request.choices())
            .map(|index| {
                choice(
                    &form,
                    answer::hash(hash, &index.to_le_bytes()),
                    request,
                    twist,
                )
            })
            .collect();
        let completion = choices
            .iter()
            .map(|choice| answer::completion_tokens(choice.content.text()))
            .sum();
        let prompt = answer::prompt_tokens(messages);
        let billed = !matches!(twist, Twist::NoUsage);
        Self {
            model: &request.model,
            hash,
            choices,
            usage: billed.then_some(Usage { prompt, completion }),
            logprobs: request.logprobs(),
        }
    }
}

fn choice(form: &Form<'_>, hash: u64, request: &ChatRequest<'_>, twist: &Twist) -> Choice {
    let content = match twist {
        Twist::Text(text) => Content::Text(text.clone()),
        Twist::Refusal => Content::Refusal("The simulator was told to refuse.".to_owned()),
        Twist::WrongForm => wrong(form),
        Twist::Straight | Twist::Half(_) | Twist::NoUsage => straight(form, hash),
    };
    let finish = match &content {
        Content::Tool { .. } => "tool_calls",
        Content::Text(_) | Content::Refusal(_) => "stop",
    };
    let pieces_max = match twist {
        Twist::Half(_) => Some(answer::completion_tokens(content.text()) / 2),
        _ => request.tokens_max(),
    };
    match (content, pieces_max) {
        (Content::Text(text), Some(max)) if answer::completion_tokens(&text) > max => {
            let max = usize::try_from(max).unwrap_or(usize::MAX);
            let finish = if let Twist::Half(reason) = twist {
                reason
            } else {
                "length"
            };
            Choice {
                content: Content::Text(pieces(&text).take(max).collect()),
                finish,
            }
        }
        (content, _) => Choice { content, finish },
    }
}

fn straight(form: &Form<'_>, hash: u64) -> Content {
    match form {
        Form::Text => Content::Text(answer::sentence(hash)),
        Form::Json => Content::Text(json!({"answer": answer::sentence(hash)}).to_string()),
        Form::Schema(schema) => Content::Text(sample::value(schema, hash).to_string()),
        Form::Tool { name, parameters } => Content::Tool {
            name: (*name).to_owned(),
            arguments: parameters.map_or_else(
                || "{}".to_owned(),
                |schema| sample::value(schema, hash).to_string(),
            ),
        },
    }
}

fn wrong(form: &Form<'_>) -> Content {
    let text = "[\"not what was asked for\"]".to_owned();
    match form {
        Form::Tool { name, .. } => Content::Tool {
            name: (*name).to_owned(),
            arguments: text,
        },
        Form::Text | Form::Json => Content::Text(text),
        Form::Schema(schema) if sample::value(schema, 0).is_array() => {
            Content::Text("{}".to_owned())
        }
        Form::Schema(_) => Content::Text(text),
    }
}
