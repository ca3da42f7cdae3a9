//! What operators ask of evals: a case for a run, the runs that are kept, and the sets that were taken out.

use plimsoll_console::{ApiError, EvalAnswer, EvalQuestion};
use plimsoll_core::dataset::DatasetExport;
use plimsoll_core::eval::EvalRun;
use plimsoll_core::{Record, SystemName};
use plimsoll_gateway::{Aim, Question};

use super::live_node::{LiveNode, ask_error};
use super::scheduling::Owner;

impl LiveNode {
    /// Asks a case of a system, on behalf of its owner.
    pub(super) async fn ask_case(
        &self,
        system: &SystemName,
        asked: EvalQuestion,
        owner: &Owner,
    ) -> Result<EvalAnswer, ApiError> {
        self.status(system)?;
        let question = Question {
            system: system.clone(),
            tenant: owner.tenant.clone(),
            input: asked.input,
            given: std::collections::BTreeMap::new(),
            unit: owner.unit.clone(),
            aim: if asked.canary {
                Aim::Canary
            } else {
                Aim::Stable
            },
        };
        let answered = self.node.ask_for_eval(question, asked.run).await;
        let answered = answered.map_err(ask_error)?;
        Ok(EvalAnswer {
            answer: answered.answer.unwrap_or_default(),
            decision: answered.decision,
        })
    }

    pub(super) async fn runs_of_evals(
        &self,
        system: &SystemName,
        limit: u32,
    ) -> Result<Vec<EvalRun>, ApiError> {
        let environment = self.status(system)?.deployment.environment;
        Ok(self.store.eval_runs(system, &environment, limit).await?)
    }

    /// Records a run. Who ran it is who says so, and where is here.
    pub(super) async fn keep_eval(&self, run: EvalRun, actor: &str) -> Result<EvalRun, ApiError> {
        let run = EvalRun {
            environment: self.status(&run.system)?.deployment.environment,
            actor: actor.to_owned(),
            ended_at: self.clock.now(),
            ..run
        };
        self.write_and_project(Record::Eval(Box::new(run.clone())))
            .await?;
        Ok(run)
    }

    pub(super) async fn sets_taken_out(
        &self,
        system: &SystemName,
        limit: u32,
    ) -> Result<Vec<DatasetExport>, ApiError> {
        let environment = self.status(system)?.deployment.environment;
        Ok(self.store.datasets(system, &environment, limit).await?)
    }

    /// Records that a set was taken out. Who did it is who says so, and where and when is here and now.
    pub(super) async fn keep_dataset(
        &self,
        export: DatasetExport,
        actor: &str,
    ) -> Result<DatasetExport, ApiError> {
        let export = DatasetExport {
            environment: self.status(&export.system)?.deployment.environment,
            actor: actor.to_owned(),
            at: self.clock.now(),
            ..export
        };
        self.write_and_project(Record::Dataset(Box::new(export.clone())))
            .await?;
        Ok(export)
    }
}
