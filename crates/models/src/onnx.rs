//! ONNX models, run in process.
//!
//! A run takes microseconds, so that it happens on the thread that asks. A session may run one call
//! at a time, so that there is one per worker thread. What goes in and what comes out is worked out
//! once, when the model is loaded, and checked against the contract's columns then.

mod classes;
mod inputs;
mod outputs;
mod runtime;

use ort::session::Session;
use ort::session::builder::SessionBuilder;
use parking_lot::{Mutex, MutexGuard};
use plimsoll_core::Code;
use plimsoll_core::manifest::OnnxSpec;
use plimsoll_guard::contract::Column;
use serde_json::{Map, Value};

use self::inputs::Inputs;
use self::outputs::Outputs;
pub use self::runtime::{LIBRARY_VERSIONS, OnnxError, OnnxRuntime, OnnxSearch};
use crate::error::ModelError;
use crate::model::BuildError;
use crate::reply::{AnswerForm, Reply};
use crate::worker;

/// The most sessions of one model.
const SESSIONS_MAX: usize = 256;

/// A predictor as scikit-learn, LightGBM and XGBoost export it.
#[derive(Debug)]
pub struct OnnxModel {
    sessions: Box<[Mutex<Session>]>,
    inputs: Inputs,
    outputs: Outputs,
    answer: AnswerForm,
}

impl OnnxModel {
    /// Loads a model with a session for each of `workers` threads. `columns` are the contract's;
    /// empty: there is no contract to hold the model's inputs against.
    ///
    /// # Errors
    /// If the bytes are no model, or its inputs and outputs do not fit the columns or what can be
    /// read.
    pub fn load(
        runtime: &OnnxRuntime,
        bytes: &[u8],
        spec: &OnnxSpec,
        columns: &[Column],
        workers: usize,
    ) -> Result<Self, BuildError> {
        let answer = AnswerForm::compile(&spec.answer, false)?;
        let first = session(runtime, bytes).map_err(OnnxError::Model)?;
        let inputs = Inputs::of(&first, &spec.columns, columns)?;
        let outputs = Outputs::of(&first, classes::of(bytes))?;
        let mut sessions = vec![Mutex::new(first)];
        for _ in 1..workers.clamp(1, SESSIONS_MAX) {
            let next = session(runtime, bytes).map_err(OnnxError::Model)?;
            sessions.push(Mutex::new(next));
        }
        Ok(Self {
            sessions: sessions.into(),
            inputs,
            outputs,
            answer,
        })
    }

    /// What the model says of one row.
    ///
    /// # Errors
    /// If a value cannot be handed to the model, the run fails, or the model says what is no
    /// prediction.
    pub fn predict(&self, row: &Map<String, Value>) -> Result<Reply, ModelError> {
        let mut replies = self.run(std::slice::from_ref(&row))?;
        replies.pop().ok_or_else(|| fault("no prediction"))
    }

    /// What the model says of each row, in one run as far as the model allows.
    ///
    /// # Errors
    /// As [`OnnxModel::predict`], for all rows together.
    pub fn predict_batch(&self, rows: &[Map<String, Value>]) -> Result<Vec<Reply>, ModelError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        if self.inputs.is_one_row() {
            return rows.iter().map(|row| self.predict(row)).collect();
        }
        let rows: Vec<&Map<String, Value>> = rows.iter().collect();
        self.run(&rows)
    }

    fn run(&self, rows: &[&Map<String, Value>]) -> Result<Vec<Reply>, ModelError> {
        let values = self.inputs.values(rows)?;
        let said = {
            let mut session = self.session();
            let output = session.run(&values[..]).map_err(|error| {
                // ONNX Runtime's message may quote a value of the row: it is not repeated.
                fault(&format!("the run failed ({:?})", error.code()))
            })?;
            self.outputs.read(&output, rows.len())?
        };
        let replies = said.into_iter().zip(rows);
        replies
            .map(|(said, row)| self.answer.reply(said, row, None))
            .collect()
    }

    /// This worker's session, or whichever is free if there are more threads than sessions.
    fn session(&self) -> MutexGuard<'_, Session> {
        let count = self.sessions.len();
        let own = worker::number() % count;
        let free = (0..count).find_map(|step| self.sessions[(own + step) % count].try_lock());
        free.unwrap_or_else(|| self.sessions[own].lock())
    }
}

fn session(runtime: &OnnxRuntime, bytes: &[u8]) -> ort::Result<Session> {
    let builder: SessionBuilder = Session::builder(runtime.environment())?
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .with_intra_op_spinning(false)?
        .with_memory_pattern(false)?;
    let mut builder = builder;
    builder.commit_from_memory(bytes)
}

/// A model in process that does what it should not.
fn fault(detail: &str) -> ModelError {
    ModelError::new(Code::ModelError, format!("onnx: {detail}"))
}

/// A prediction that is none.
fn nonsense(detail: &str) -> ModelError {
    ModelError::new(Code::ModelProtocol, format!("onnx: {detail}"))
}
