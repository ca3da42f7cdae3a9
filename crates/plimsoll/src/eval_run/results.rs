//! Results files: `evals/RUN.jsonl` in the data folder, a heading, then a line for each answer as it
//! came, then the end. A line that was cut off by a crash is cut away, and asked again.
//!
//! They hold answers, which may be anybody's business: they are their owner's only. Whoever writes one holds its
//! lock, so that two runs of the same set never share a file: the second one begins one of its own.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use plimsoll_core::EventId;
use plimsoll_core::eval::EvalRun;
use plimsoll_evals::calibration::Calibration;
use plimsoll_evals::run::{Entry, Heading, Line, Results, Reusable};

use crate::data_folder::DataFolder;
use crate::exit::{Exit, Exits as _, Failure, Outcome};

/// How long lines may be in memory only: an answer that cost money is soon on disk.
const SYNC_EVERY: Duration = Duration::from_millis(200);
/// How many earlier runs are looked through.
const LOOKED_THROUGH_MAX: usize = 50;

/// The folder of results files.
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The one of this data folder; nothing is made.
    pub(crate) fn of(data: &DataFolder) -> Self {
        let path = data.root().join("evals");
        Self { path }
    }

    fn file(&self, run: EventId) -> PathBuf {
        self.path.join(format!("{run}.jsonl"))
    }

    /// The runs that have a file, the latest first.
    fn runs(&self) -> Vec<EventId> {
        let entries = std::fs::read_dir(&self.path)
            .into_iter()
            .flatten()
            .flatten();
        let id = |entry: std::fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?;
            name.strip_suffix(".jsonl")?.parse().ok()
        };
        let mut runs: Vec<EventId> = entries.filter_map(id).collect();
        runs.sort_unstable_by_key(|run| std::cmp::Reverse(run.to_bytes()));
        runs
    }

    /// The run whose id begins with `text`, or the latest.
    pub(crate) fn find(&self, text: &str) -> Outcome<Results> {
        let runs = self.runs();
        let wanted = text.to_ascii_uppercase();
        let found: Vec<EventId> = if text == "latest" {
            runs.into_iter().take(1).collect()
        } else {
            runs.into_iter()
                .filter(|run| run.to_string().starts_with(&wanted))
                .collect()
        };
        match found[..] {
            [run] => Ok(read(&self.file(run))?.0),
            [] => {
                let folder = self.path.display();
                let message = format!("there are no results of run `{text}` in `{folder}`");
                Err(Failure::says(Exit::Usage, message))
            }
            _ => {
                let message = format!("several runs begin with `{text}`: write more of the id");
                Err(Failure::says(Exit::Usage, message))
            }
        }
    }

    /// The latest run that was interrupted and asks the same: its lines, and a file to go on with.
    pub(crate) fn interrupted(&self, heading: &Heading) -> Outcome<Option<(Results, Writer)>> {
        for run in self.runs().into_iter().take(LOOKED_THROUGH_MAX) {
            let path = self.file(run);
            if !read_heading(&path).is_some_and(|earlier| earlier.goes_on(heading)) {
                continue;
            }
            let mut file = OpenOptions::new()
                .write(true)
                .open(&path)
                .or_exit(Exit::Data)?;
            if file.try_lock().is_err() {
                // Somebody is at it.
                continue;
            }
            let (results, bytes) = read(&path)?;
            if results.end.is_some() {
                return Ok(None);
            }
            file.set_len(bytes).or_exit(Exit::Data)?;
            file.seek(SeekFrom::End(0)).or_exit(Exit::Data)?;
            return Ok(Some((results, Writer::of(file))));
        }
        Ok(None)
    }

    /// The answers of earlier runs of the same system.
    pub(crate) fn reusable(&self, heading: &Heading) -> Outcome<Reusable> {
        let mut reusable = Reusable::default();
        let mut runs = self.runs();
        runs.truncate(LOOKED_THROUGH_MAX);
        for run in runs.into_iter().rev() {
            let path = self.file(run);
            if read_heading(&path).is_some_and(|earlier| earlier.system == heading.system) {
                reusable.add(read(&path)?.0.lines);
            }
        }
        Ok(reusable)
    }

    /// Begins a file for a new run.
    pub(crate) fn begin(&self, heading: &Heading) -> Outcome<Writer> {
        let making = || {
            format!(
                "the results cannot be written into `{}`",
                self.path.display()
            )
        };
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(&self.path)
            .with_context(making)
            .or_exit(Exit::Data)?;
        let mut open = OpenOptions::new();
        open.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
        let file = open
            .open(self.file(heading.id))
            .with_context(making)
            .or_exit(Exit::Data)?;
        file.try_lock().with_context(making).or_exit(Exit::Data)?;
        let mut writer = Writer::of(file);
        writer.write(&Entry::Run(Box::new(heading.clone())))?;
        writer.sync()?;
        Ok(writer)
    }

    /// What judges are worth, as far as somebody looked.
    pub(crate) fn calibrations(&self) -> Outcome<Vec<Calibration>> {
        let path = self.path.join("judges.json");
        if !path.exists() {
            return Ok(Vec::new());
        }
        let text = std::fs::read_to_string(&path).or_exit(Exit::Data)?;
        let reading = || format!("`{}` holds no calibrations of judges", path.display());
        serde_json::from_str(&text)
            .with_context(reading)
            .or_exit(Exit::Data)
    }

    /// Keeps a calibration in place of an earlier one of the same scorer, judge and release.
    pub(crate) fn keep(&self, calibration: Calibration) -> Outcome<()> {
        let mut all = self.calibrations()?;
        all.retain(|other| {
            (&other.scorer, &other.judge, other.release)
                != (&calibration.scorer, &calibration.judge, calibration.release)
        });
        all.push(calibration);
        let text = serde_json::to_string_pretty(&all).or_exit(Exit::Internal)?;
        let (path, draft) = (self.path.join("judges.json"), self.path.join("judges.new"));
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&draft)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&draft, &path)
        };
        write()
            .context("the calibration cannot be kept")
            .or_exit(Exit::Data)
    }
}

fn read_heading(path: &Path) -> Option<Heading> {
    let mut line = String::new();
    BufReader::new(File::open(path).ok()?)
        .read_line(&mut line)
        .ok()?;
    match serde_json::from_str(&line).ok()? {
        Entry::Run(heading) => Some(*heading),
        Entry::Case(_) | Entry::End(_) => None,
    }
}

/// A run, and how many bytes of its file are whole lines.
fn read(path: &Path) -> Outcome<(Results, u64)> {
    let unread = |what: &str| {
        let message = format!("`{}` is no results file: {what}", path.display());
        Failure::says(Exit::Data, message)
    };
    let mut reader = BufReader::new(File::open(path).or_exit(Exit::Data)?);
    let (mut heading, mut lines, mut end, mut bytes) = (None, Vec::new(), None, 0);
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).or_exit(Exit::Data)?;
        if read == 0 || line.last() != Some(&b'\n') {
            break;
        }
        let entry = serde_json::from_slice(&line);
        match entry.map_err(|error| unread(&format!("line {number}: {error}")))? {
            Entry::Run(first) if number == 1 => heading = Some(*first),
            Entry::Case(case) => lines.push(*case),
            Entry::End(run) => end = Some(*run),
            Entry::Run(_) => return Err(unread("it has two headings")),
        }
        bytes += read as u64;
    }
    let heading = heading.ok_or_else(|| unread("it has no heading"))?;
    let results = Results {
        heading,
        lines,
        end,
    };
    Ok((results, bytes))
}

/// A file that grows line by line.
pub(crate) struct Writer {
    file: BufWriter<File>,
    synced_at: Duration,
}

impl Writer {
    fn of(file: File) -> Self {
        Self {
            file: BufWriter::new(file),
            synced_at: Duration::ZERO,
        }
    }

    /// Adds an answer; it is on disk soon after. `elapsed` is the time since some beginning.
    pub(crate) fn add(&mut self, line: Line, elapsed: Duration) -> Outcome<Line> {
        let entry = Entry::Case(Box::new(line));
        self.write(&entry)?;
        if elapsed.saturating_sub(self.synced_at) >= SYNC_EVERY {
            self.sync()?;
            self.synced_at = elapsed;
        }
        match entry {
            Entry::Case(line) => Ok(*line),
            Entry::Run(_) | Entry::End(_) => unreachable!("it was made of a line"),
        }
    }

    /// Says that the run is over.
    pub(crate) fn end(&mut self, run: &EvalRun) -> Outcome<()> {
        self.write(&Entry::End(Box::new(run.clone())))?;
        self.sync()
    }

    fn write(&mut self, entry: &Entry) -> Outcome<()> {
        let mut line = serde_json::to_vec(entry).or_exit(Exit::Internal)?;
        line.push(b'\n');
        let written = self.file.write_all(&line);
        written
            .context("the results cannot be written")
            .or_exit(Exit::Data)
    }

    /// Brings all lines to disk.
    pub(crate) fn sync(&mut self) -> Outcome<()> {
        let synced = self
            .file
            .flush()
            .and_then(|()| self.file.get_ref().sync_data());
        synced
            .context("the results cannot be written")
            .or_exit(Exit::Data)
    }
}
