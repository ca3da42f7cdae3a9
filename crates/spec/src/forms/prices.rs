//! The form of `prices.toml`: what models cost, each price with the day from which it holds.

use super::Absent::{Means, Required};
use super::{Form, Others, TableForm, field};

pub(crate) static FORM: TableForm = TableForm {
    about: "What models cost. A change of price is a new entry with a later day: what was decided before keeps its cost.",
    others: Others::Refused,
    fields: &[field(
        "price",
        Form::List(&Form::Table(&PRICE)),
        Means("no model has a price"),
        "One price; write each as a `[[price]]`.",
    )],
};

static PRICE: TableForm = TableForm {
    about: "One price, in the workspace's currency.",
    others: Others::Refused,
    fields: &[
        field(
            "provider",
            Form::Name,
            Required(
                "name the provider as `plimsoll.toml` does, or \"local\" for models in this process",
            ),
            "The provider as `plimsoll.toml` names it; `local` for models that run in this process; `http` for HTTP predictors that name no provider; `people` for reviews.",
        ),
        field(
            "model",
            Form::Text,
            Required("give the provider's name for the model, or \"*\" for all of its models"),
            "The provider's name for the model, or `*` for all of its models; of `local` and `http` it is `system/model`, of `people` the queue.",
        ),
        field(
            "from",
            Form::Moment,
            Required("give the day from which it holds, as in from = 2026-01-01"),
            "From when it holds, in UTC.",
        ),
        field(
            "over_input_tokens",
            Form::Whole {
                min: 1,
                max: 1_000_000_000,
            },
            Means("for calls of any size"),
            "It is for calls that read more tokens than these; another price from the same day is for the shorter ones.",
        ),
        field(
            "input_per_million",
            Form::Price,
            Means("free"),
            "For a million tokens read.",
        ),
        field(
            "cached_input_per_million",
            Form::Price,
            Means("as `input_per_million`"),
            "For a million tokens read from the provider's cache.",
        ),
        field(
            "image_input_per_million",
            Form::Price,
            Means("as `input_per_million`"),
            "For a million tokens read of images.",
        ),
        field(
            "audio_input_per_million",
            Form::Price,
            Means("as `input_per_million`"),
            "For a million tokens read of sound.",
        ),
        field(
            "output_per_million",
            Form::Price,
            Means("free"),
            "For a million tokens written.",
        ),
        field(
            "reasoning_per_million",
            Form::Price,
            Means("as `output_per_million`"),
            "For a million tokens written while reasoning.",
        ),
        field(
            "image_output_per_million",
            Form::Price,
            Means("as `output_per_million`"),
            "For a million tokens written of images.",
        ),
        field(
            "audio_output_per_million",
            Form::Price,
            Means("as `output_per_million`"),
            "For a million tokens written of sound.",
        ),
        field(
            "per_request",
            Form::Price,
            Means("free"),
            "For each call; of `people`, for each review.",
        ),
        field(
            "per_second",
            Form::Price,
            Means("free"),
            "For each second of a call, the way to price a machine of one's own; of `people`, of the time that was told for a review.",
        ),
        field(
            "source",
            Form::Text,
            Means("unsaid"),
            "Where the price was found.",
        ),
        field(
            "checked",
            Form::Moment,
            Means("the day from which it holds"),
            "The day on which it was last looked at there: `plimsoll bar` tells how old that is.",
        ),
    ],
};
