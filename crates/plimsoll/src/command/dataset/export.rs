//! `plimsoll dataset export`: finds what was judged, reads it, and writes it as a set.
//!
//! Nothing is read before that is recorded, and no file is there before its export is recorded. What was
//! erased is in no file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use plimsoll_control::figures::{count, counted};
use plimsoll_core::dataset::{DatasetCounts, DatasetExport, DatasetFilter, Judged};
use plimsoll_core::label::Label;
use plimsoll_core::ports::Reviews as _;
use plimsoll_core::review::{Review, ReviewState};
use plimsoll_core::sampling::{is_sampled, lot};
use plimsoll_core::stakes::PayloadPolicy;
use plimsoll_core::{Decision, DecisionId, EventId, Outcome as Ended, ReleaseId, System};
use plimsoll_evals::case::CASES_MAX;
use plimsoll_evals::dataset::{Collected, Example, Reviewed, Teaching};
use plimsoll_evals::scorer::Scorer;
use plimsoll_spec::Workspace;
use plimsoll_store::StoredReviews;
use serde_json::{Value, json};

use crate::cli::{DatasetExportArgs, DatasetFormat, Global};
use crate::dataset_file::{self, Written};
use crate::desk::{Desk, Shown};
use crate::exit::{Exit, Exits as _, Failure, Outcome};
use crate::output::{Output, progress};
use crate::rows::ColumnTypes;
use crate::workspace::{self, Reading};

/// The most decisions that are chosen from.
const CANDIDATES_MAX: usize = 2_000_000;
/// Decisions that are looked at in one step.
const STEP: usize = 256;
/// Payloads that are read at the same time.
const READING_MAX: usize = 16;
/// The longest purpose, in characters, as the server takes it.
const PURPOSE_CHARS_MAX: usize = 200;

/// Takes a set out.
pub(super) async fn run(global: &Global, args: DatasetExportArgs, out: Output) -> Outcome<Exit> {
    let reading = Reading::open(global).await?;
    let unread = "plimsoll.toml has problems: `plimsoll check` prints them";
    let workspace = reading.workspace.as_ref();
    let workspace = workspace.ok_or_else(|| Failure::says(Exit::Workspace, unread))?;
    let system = workspace::system(workspace, Some(&args.system))?;
    check_purpose(&args.purpose)?;
    let target = Target::of(&args)?;
    let chosen = chosen(&reading, workspace, &args).await?;
    let desk = Desk::open(global, &args.server).await?;
    let taking = Taking {
        reading: &reading,
        desk: &desk,
        system,
        workspace,
        purpose: &args.purpose,
        teaching: teaching(workspace, system, &args)?,
        chosen: &chosen,
    };
    let taken = taking.take_and_keep(&target).await;
    desk.close().await?;
    let (kept, counts) = taken?;
    let any = kept.is_some();
    tell(kept, counts, out)?;
    Ok(Exit::when(any))
}

fn check_purpose(purpose: &str) -> Outcome<()> {
    let fits = !purpose.trim().is_empty() && purpose.chars().count() <= PURPOSE_CHARS_MAX;
    if fits && !purpose.chars().any(char::is_control) {
        return Ok(());
    }
    let message = format!("--purpose is a text of 1 to {PURPOSE_CHARS_MAX} characters");
    Err(Failure::says(Exit::Usage, message))
}

/// Where the set is written, and in which form.
struct Target {
    path: PathBuf,
    is_folder: bool,
    format: DatasetFormat,
}

impl Target {
    fn of(args: &DatasetExportArgs) -> Outcome<Self> {
        let is_folder = args.out.is_dir();
        let extension = args
            .out
            .extension()
            .and_then(|extension| extension.to_str());
        let named = match extension.map(str::to_ascii_lowercase).as_deref() {
            Some("jsonl" | "ndjson") => Some(DatasetFormat::Jsonl),
            Some("csv") => Some(DatasetFormat::Csv),
            Some("parquet") => Some(DatasetFormat::Parquet),
            _ => None,
        };
        let usual = is_folder.then_some(DatasetFormat::Jsonl);
        let format = args.format.or(named).or(usual).ok_or_else(|| {
            let message = "name the file .jsonl, .csv or .parquet, or say its form with --format";
            Failure::says(Exit::Usage, message)
        })?;
        if !is_folder && named != Some(format) {
            let message = "a set is read by what its file's name ends with: name it as its form";
            return Err(Failure::says(Exit::Usage, message));
        }
        if !is_folder && args.out.exists() {
            let message = format!("`{}` exists: nothing is overwritten", args.out.display());
            return Err(Failure::says(Exit::Usage, message));
        }
        Ok(Self {
            path: args.out.clone(),
            is_folder,
            format,
        })
    }

    /// The folder in which the file comes to lie.
    fn folder(&self) -> &Path {
        let parent = self
            .path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        if self.is_folder {
            &self.path
        } else {
            parent.unwrap_or(Path::new("."))
        }
    }

    fn file(&self, export: &DatasetExport) -> PathBuf {
        if !self.is_folder {
            return self.path.clone();
        }
        let version: String = export.digest.to_string().chars().take(12).collect();
        self.path
            .join(format!("{}-{version}.{}", export.system, export.format))
    }
}

async fn chosen(
    reading: &Reading,
    workspace: &Workspace,
    args: &DatasetExportArgs,
) -> Outcome<DatasetFilter> {
    let now = reading.clock.now();
    let release = match &args.release {
        Some(release) => Some(reading.store.release_by_prefix(release).await?.id),
        None => None,
    };
    let mut until = args.until.map_or(now, |moment| moment.resolve(now));
    if args.matured {
        let truth = truth(workspace, args);
        let matured_after = truth.map_or(plimsoll_spec::MATURED_AFTER, |truth| truth.matured_after);
        until = until.min(now.minus(matured_after));
    }
    let mut only: Vec<Judged> = args.only.iter().map(|only| Judged::from(*only)).collect();
    only.sort_unstable();
    only.dedup();
    Ok(DatasetFilter {
        only,
        release,
        tenant: args.tenant.clone(),
        since: args.since.map(|moment| moment.resolve(now)),
        until: Some(until),
        labels: args.labels.clone(),
        sample: args.sample,
        limit: args.limit,
        seed: args.seed,
        duplicates: args.keep_duplicates,
    })
}

/// What the system's monitor of the truth rests on, if it has one.
fn truth<'w>(
    workspace: &'w Workspace,
    args: &DatasetExportArgs,
) -> Option<&'w plimsoll_core::monitor::TruthSpec> {
    let monitors = workspace.folders.get(&args.system)?.monitors.as_ref()?;
    let monitors = &monitors.monitors;
    let truth = monitors.get(&plimsoll_core::monitor::Watched::Truth)?;
    truth.truth.as_ref()
}

fn teaching(workspace: &Workspace, system: &System, args: &DatasetExportArgs) -> Outcome<Teaching> {
    let scorers = workspace.folders.get(&system.name);
    let scorers = scorers.map_or(&[][..], |folder| &folder.scorers);
    let ready: Result<Vec<Scorer>, String> = scorers.iter().cloned().map(Scorer::new).collect();
    let right = truth(workspace, args).map(|truth| truth.label.clone());
    Ok(Teaching {
        right: args.right.clone().or(right),
        members: args.members.iter().cloned().collect(),
        scorers: ready.map_err(|fault| Failure::says(Exit::Workspace, fault))?,
        only_disagreeing: args.only.contains(&crate::cli::Only::Disagreeing),
    })
}

/// A set being taken out.
struct Taking<'t> {
    reading: &'t Reading,
    desk: &'t Desk,
    system: &'t System,
    workspace: &'t Workspace,
    purpose: &'t str,
    teaching: Teaching,
    chosen: &'t DatasetFilter,
}

/// What became of reading one decision.
enum Read {
    Example(Box<Example>),
    Erased,
    LetGo,
    NotKept,
}

impl Taking<'_> {
    /// The set that was written, if there is any, and what became of all decisions that were looked at.
    async fn take_and_keep(
        &self,
        target: &Target,
    ) -> Outcome<(Option<(DatasetExport, PathBuf)>, DatasetCounts)> {
        let (lines, counts) = self.take().await?;
        if lines.is_empty() {
            return Ok((None, counts));
        }
        let kept = self.keep(lines, counts, target).await?;
        Ok((Some(kept), counts))
    }

    /// The lines of the set, and what became of all decisions that were looked at.
    async fn take(&self) -> Outcome<(Vec<Value>, DatasetCounts)> {
        let candidates = self.candidates().await?;
        let limit = self.chosen.limit.unwrap_or(CASES_MAX as u64);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut collected = Collected::new(self.chosen.duplicates);
        let mut policies = HashMap::new();
        let bar = progress(Some(candidates.len() as u64), "decisions");
        let mut left = &candidates[..];
        while !left.is_empty() && collected.len() < limit {
            let step = STEP.min(limit - collected.len()).min(left.len());
            let (ids, rest) = left.split_at(step);
            left = rest;
            let judged = self.reading.store.with_labels(self.chosen, ids).await?;
            for (decision, _) in &judged {
                self.learn_policy(&mut policies, decision.release).await?;
            }
            let reads = judged.into_iter().map(|(decision, labels)| {
                let keeps = policies.get(&decision.release) == Some(&PayloadPolicy::Full);
                self.read(decision, labels, keeps)
            });
            let read: Vec<Read> = stream::iter(reads)
                .buffered(READING_MAX)
                .try_collect()
                .await?;
            for one in read {
                collected.counts.decisions += 1;
                match one {
                    Read::Example(example) => collected.add(&self.teaching, &example),
                    Read::Erased => collected.counts.erased += 1,
                    Read::LetGo => collected.counts.let_go += 1,
                    Read::NotKept => collected.counts.not_kept += 1,
                }
            }
            bar.inc(step as u64);
        }
        bar.finish_and_clear();
        if collected.len() == CASES_MAX && !left.is_empty() {
            let cases = counted(CASES_MAX as u64, "case");
            let message = format!("a set has at most {cases}: take a --sample or a --limit");
            return Err(Failure::says(Exit::Usage, message));
        }
        Ok(collected.finish())
    }

    /// The decisions of the sample, in the order of their lots.
    async fn candidates(&self) -> Outcome<Vec<DecisionId>> {
        let of = (&self.system.name, &self.workspace.server.environment);
        let DatasetFilter { sample, seed, .. } = *self.chosen;
        let mut found: Vec<(u64, DecisionId)> = Vec::new();
        let mut after = None;
        loop {
            let store = &self.reading.store;
            let page = store.judged_decisions(of, self.chosen, after).await?;
            let taken = page
                .decisions
                .into_iter()
                .filter(|id| sample.is_none_or(|share| is_sampled(seed, *id, share)));
            found.extend(taken.map(|id| (lot(seed, id), id)));
            if found.len() > CANDIDATES_MAX {
                let most = count(CANDIDATES_MAX as u64);
                let message = format!("more than {most} decisions: take a --sample of them");
                return Err(Failure::says(Exit::Usage, message));
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        found.sort_unstable_by_key(|(lot, id)| (*lot, id.to_bytes()));
        Ok(found.into_iter().map(|(_, id)| id).collect())
    }

    async fn learn_policy(
        &self,
        known: &mut HashMap<ReleaseId, PayloadPolicy>,
        release: ReleaseId,
    ) -> Outcome<()> {
        if let std::collections::hash_map::Entry::Vacant(place) = known.entry(release) {
            let record = self.reading.store.release(release).await?;
            // What nobody knows to be kept in full is not taken for it.
            let policy = record.map_or(PayloadPolicy::None, |record| record.manifest.payloads);
            place.insert(policy);
        }
        Ok(())
    }

    /// Reads what is kept of a decision, once that is recorded. Of one whose input was never kept, or only its
    /// form, nothing is read.
    async fn read(&self, decision: Decision, labels: Vec<Label>, keeps: bool) -> Outcome<Read> {
        if !keeps || decision.payload.is_none() {
            return Ok(Read::NotKept);
        }
        let store = &self.reading.store;
        let shown = self.desk.read(store, &decision, self.purpose, "export");
        let payload = match shown.await? {
            Shown::Kept { payload } => *payload,
            Shown::Erased { .. } => return Ok(Read::Erased),
            Shown::LetGo => return Ok(Read::LetGo),
            Shown::NotKept => return Ok(Read::NotKept),
        };
        if payload.input.is_null() {
            return Ok(Read::NotKept);
        }
        let mut example = Example::of(&decision, as_asked(payload.input), payload.output);
        example.labels = labels;
        if decision.outcome == Some(Ended::Reviewed) {
            let reviews = StoredReviews::new(store);
            let review = reviews.of_decision(&decision.tenant, decision.id).await;
            example.review = review.or_exit(Exit::Data)?.and_then(reviewed);
        }
        Ok(Read::Example(Box::new(example)))
    }

    /// Writes the set, has the export recorded, and gives the file its name.
    async fn keep(
        &self,
        lines: Vec<Value>,
        counts: DatasetCounts,
        target: &Target,
    ) -> Outcome<(DatasetExport, PathBuf)> {
        let types = ColumnTypes::of(self.workspace, self.system);
        let written = dataset_file::write(target.folder(), target.format, lines, &types)?;
        let Written { set, file, draft } = written;
        let now = self.reading.clock.now();
        let export = DatasetExport {
            id: EventId::new(now),
            system: self.system.name.clone(),
            environment: self.workspace.server.environment.clone(),
            digest: set,
            file,
            format: dataset_file::extension(target.format).to_owned(),
            chosen: self.chosen.clone(),
            counts,
            purpose: self.purpose.to_owned(),
            actor: self.desk.actor().to_owned(),
            at: now,
        };
        let export = self.desk.record_dataset(export).await?;
        let path = target.file(&export);
        dataset_file::name(draft, &path, &export)?;
        Ok((export, path))
    }
}

/// An input as an eval asks it again: not as a stream, which an eval has no use for.
fn as_asked(mut input: Value) -> Value {
    if let Value::Object(members) = &mut input
        && members.contains_key("messages")
    {
        members.remove("stream");
        members.remove("stream_options");
    }
    input
}

fn reviewed(review: Review) -> Option<Reviewed> {
    let ReviewState::Answered {
        answer, actor, at, ..
    } = review.state
    else {
        return None;
    };
    Some(Reviewed {
        answer,
        proposal: review.proposal,
        actor,
        at,
    })
}

fn tell(kept: Option<(DatasetExport, PathBuf)>, counts: DatasetCounts, out: Output) -> Outcome<()> {
    let (export, path) = kept.unzip();
    let told = json!({"export": export, "file": path, "counts": counts});
    out.show(&told, || {
        let mut text = match (&export, &path) {
            (Some(export), Some(path)) => format!(
                "{} of {}, version {}, in {}\n",
                counted(counts.cases, "case"),
                export.system,
                export.digest.short(),
                path.display()
            ),
            _ => "no decision became a case: nothing is written\n".to_owned(),
        };
        for (what, number) in left_out(counts) {
            text.push_str(&format!("  {} {what}\n", count(number)));
        }
        text
    })
}

/// What became no case, and why.
fn left_out(counts: DatasetCounts) -> impl Iterator<Item = (&'static str, u64)> {
    [
        ("erased by authority", counts.erased),
        ("let go, as their time was over", counts.let_go),
        ("whose input is not kept in full", counts.not_kept),
        (
            "known to be wrong, and not what is right",
            counts.without_truth,
        ),
        ("whose answer was right", counts.agreeing),
        ("that ask what another asks", counts.duplicates),
        (
            "that ask the same as a later one, whose truth is another",
            counts.contradicted,
        ),
    ]
    .into_iter()
    .filter(|(_, number)| *number > 0)
}
