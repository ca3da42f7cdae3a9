//! What `plimsoll.toml` says of records: where they lie, for how long, and how they are made provable.

use super::super::Absent::{Default, Means, Required};
use super::super::{Form, TableForm, field};
use super::table;

pub(super) static STORAGE: TableForm = table(
    "Where and how records are kept.",
    &[
        field(
            "path",
            Form::Path,
            Default("\"data\""),
            "The data folder, absolute or relative to the workspace's folder.",
        ),
        field(
            "segment",
            Form::Size,
            Default("\"64 MiB\""),
            "The size at which a journal segment is closed and the next begun.",
        ),
        field(
            "retention",
            Form::Table(&RETENTION),
            Means("for ever"),
            "For how long records and payloads are kept; whichever bound comes first holds.",
        ),
        field(
            "postgres",
            Form::Table(&POSTGRES),
            Means("SQLite in the data folder"),
            "The PostgreSQL database that several nodes share.",
        ),
        field(
            "redis",
            Form::Table(&REDIS),
            Means("each node has all of each limit for itself"),
            "The Redis or Valkey server through which several nodes share `[limits]`.",
        ),
        field(
            "pepper",
            Form::Secret,
            Means("the one that the node makes, in `pepper` of the data folder"),
            "Where the pepper is under which subjects, idempotency keys and the secrets of keys are kept. Nodes that share a database share it.",
        ),
        field(
            "queue",
            Form::Table(&QUEUE),
            Means("the defaults below"),
            "The queue in front of the journal.",
        ),
        field(
            "linger",
            Form::Duration,
            Default("\"200us\""),
            "For how long a commit waits for more durable records to join it.",
        ),
        field(
            "buffered_window",
            Form::Duration,
            Default("\"250ms\""),
            "The window of loss of buffered records: what a crash may take.",
        ),
    ],
);

static RETENTION: TableForm = table(
    "For how long closed segments and payloads are kept. What a hold covers is kept all the same.",
    &[
        field(
            "age",
            Form::Duration,
            Means("no bound"),
            "The oldest a record may become: whole segments go, with their payloads.",
        ),
        field(
            "bytes",
            Form::Size,
            Means("no bound"),
            "The most that segments and payloads may take.",
        ),
        field(
            "payloads",
            Form::Duration,
            Means("as `age`"),
            "The oldest a payload may become, where that is less than its record: inputs and outputs go, the record stays.",
        ),
        field(
            "regimes",
            Form::List(&Form::Text),
            Means("none"),
            "The regimes that records are kept under, by their names in `regimes.toml`: a bound below the floor of one is a problem, or a warning while that floor is not in force.",
        ),
    ],
);

static POSTGRES: TableForm = table(
    "The PostgreSQL database that several nodes share. The journal and the payloads of each node stay in its own data folder.",
    &[
        field(
            "url",
            Form::Secret,
            Required("say where it is, as in url = { env = \"PLIMSOLL_DATABASE_URL\" }"),
            "Where the URL is as which the node connects: of a role that owns no table.",
        ),
        field(
            "migrate",
            Form::Secret,
            Means("the node changes no schema"),
            "Where the URL is of the role that owns the tables and may change them.",
        ),
    ],
);

static REDIS: TableForm = table(
    "The Redis or Valkey server through which several nodes share limits. Each node leases slices of what is left and spends them from memory; while the server is away it spends what it holds and then refuses.",
    &[
        field(
            "url",
            Form::Secret,
            Required("say where it is, as in url = { env = \"PLIMSOLL_REDIS_URL\" }"),
            "Where the URL is: redis://, or rediss:// for TLS.",
        ),
        field(
            "lease",
            Form::Duration,
            Default("\"30s\""),
            "For how long a slice is leased, from 2s to 10m: so long a node goes on without the server, and so long what a dead node held is missing to the others.",
        ),
        field(
            "wait",
            Form::Duration,
            Default("\"100ms\""),
            "How long a request whose node has spent its slice waits for more, at most 5s. Then it is refused with `limits_unavailable`.",
        ),
    ],
);

static QUEUE: TableForm = table(
    "The queue in front of the journal.",
    &[
        field(
            "bytes",
            Form::Size,
            Default("\"64 MiB\""),
            "How much may wait to be written.",
        ),
        field(
            "when_full",
            Form::Choice(&[
                ("shed", "the request is overload"),
                ("wait", "the request waits, within its deadline"),
            ]),
            Default("\"shed\""),
            "What happens to a request whose record finds the queue full.",
        ),
    ],
);

pub(super) static AUDIT: TableForm = table(
    "How records are made provable: a Merkle tree (RFC 6962) over the journal, with signed checkpoints.",
    &[
        field(
            "enabled",
            Form::Flag,
            Default("true"),
            "Whether the audit log is kept.",
        ),
        field(
            "origin",
            Form::Text,
            Means("`plimsoll.invalid/` and the node's name"),
            "The log's name in its checkpoints, as a URL without its scheme: `example.com/plimsoll/node-1`. It is chosen once: another origin is another log.",
        ),
        field(
            "checkpoint",
            Form::Duration,
            Default("\"10s\""),
            "How far apart signed checkpoints are at the most, from `100ms` to `10s`.",
        ),
        field(
            "copy",
            Form::Path,
            Means("none"),
            "A second folder that each checkpoint is copied to, absolute or relative to the workspace's folder: best where the node's operators cannot change it.",
        ),
    ],
);
