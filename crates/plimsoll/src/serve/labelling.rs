//! Labels that operators bring.

use plimsoll_console::{ApiError, LabelsReport, LabelsRequest};
use plimsoll_core::label::{LabelSource, LabelValue, NewLabel};
use plimsoll_core::{Code, LabelName, Tenancy, TenantName};
use plimsoll_gateway::{LABEL_NAME_DEFAULT, LabelError, Labeller};

use super::live_node::{LiveNode, not_recorded};

impl LiveNode {
    pub(super) async fn take_labels(
        &self,
        tenancy: &Tenancy,
        request: LabelsRequest,
        actor: &str,
    ) -> Result<LabelsReport, ApiError> {
        let LabelsRequest { labels, tenant } = request;
        let named = tenancy.tenant().cloned().or(tenant);
        let unknown_of = named.map_or_else(|| TenantName::new("default"), Ok);
        let unknown_of = unknown_of.map_err(|error| ApiError::unfit(error.to_string()))?;
        let usual = LabelName::new(LABEL_NAME_DEFAULT);
        let usual = usual.map_err(|error| ApiError::unfit(error.to_string()))?;
        let mut taken = Vec::with_capacity(labels.len());
        for (index, label) in labels.into_iter().enumerate() {
            let value = LabelValue::json(&label.value);
            let value = value.map_err(|error| {
                ApiError::of(Code::LabelUnfit, format!("label {index}: {error}"))
            })?;
            taken.push(NewLabel {
                decision: label.decision,
                name: label.name.unwrap_or_else(|| usual.clone()),
                value,
                observed_at: label.observed_at,
            });
        }
        let labeller = Labeller {
            tenant: tenancy.tenant(),
            unknown_of: &unknown_of,
            may_use: &|_| true,
            through: LabelSource::Operator,
            actor,
        };
        let states = self.node.label(&labeller, taken).await;
        let states = states.map_err(label_error)?;
        Ok(LabelsReport { states })
    }
}

fn label_error(error: LabelError) -> ApiError {
    match error {
        LabelError::TooMany(_) | LabelError::NotYet(_) => {
            ApiError::of(Code::LabelUnfit, error.to_string())
        }
        LabelError::WaitingFull => ApiError::of(Code::LabelsTooMany, error.to_string()),
        LabelError::Store(error) => error.into(),
        LabelError::Record(error) => not_recorded(&error),
    }
}
