//! Gives the code that only a start needs back to the operating system.
//!
//! Reading a workspace, compiling its schemas and bringing up a database touch most of the binary's
//! code, and serving touches little of it. Code pages are clean copies of the file: the kernel can let
//! go of them at once and brings back those that are called again, at about a microsecond for sixteen.

use std::path::Path;
use std::time::Duration;

#[cfg(target_os = "linux")]
use rustix::mm::{Advice, madvise};

/// After how long the start's last work (the first look at files, reviews and retention) is done.
const SETTLED: Duration = Duration::from_secs(1);

/// Lets go of the start's code, a moment after the start.
pub(super) async fn give_back_code() {
    tokio::time::sleep(SETTLED).await;
    let_go();
}

/// Lets go of the pages of this program's code that are resident. What cannot be let go stays.
#[cfg(target_os = "linux")]
fn let_go() {
    let (Ok(maps), Ok(program)) = (
        std::fs::read_to_string("/proc/self/smaps"),
        std::fs::read_link("/proc/self/exe"),
    ) else {
        return;
    };
    let Some((start, end)) = untouched_code(&maps, &program) else {
        tracing::debug!("no code was given back: it is not mapped as expected");
        return;
    };
    let begin = std::ptr::with_exposed_provenance_mut(start);
    #[expect(
        unsafe_code,
        reason = "madvise is unsafe, as it may drop what was written to memory"
    )]
    // SAFETY: the range is one mapping of this program's file that is never writable and of which no
    // page was written to (`untouched_code`). Letting go of it changes no byte: a page that is used
    // again is read from the file.
    let given_back = unsafe { madvise(begin, end - start, Advice::LinuxDontNeed) };
    if let Err(error) = given_back {
        tracing::debug!(%error, "no code was given back");
    }
}

/// Elsewhere the operating system decides alone.
#[cfg(not(target_os = "linux"))]
fn let_go() {}

/// Where the code of `program` is mapped, by `/proc/self/smaps`; none if any of its pages is not a copy
/// of the file any more (a debugger wrote a breakpoint there).
fn untouched_code(maps: &str, program: &Path) -> Option<(usize, usize)> {
    let mut found = None;
    for line in maps.lines() {
        let mut words = line.split_ascii_whitespace();
        let first = words.next()?;
        if let Some((start, end)) = first.split_once('-') {
            if found.is_some() {
                return None;
            }
            let is_code = words.next() == Some("r-xp");
            let file = words.nth(3).map(Path::new);
            if is_code && file == Some(program) {
                let address = |text| usize::from_str_radix(text, 16).ok();
                found = Some((address(start)?, address(end)?));
            }
        } else if first == "Anonymous:" && found.is_some() {
            return found.filter(|_| words.next() == Some("0"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
1000-5000 r--p 00000000 fe:00 7 /bin/plimsoll
Rss: 16 kB
Anonymous: 4 kB
VmFlags: rd
5000-9000 r-xp 00004000 fe:00 7 /bin/plimsoll
Rss: 16 kB
Anonymous: 0 kB
VmFlags: rd ex
9000-a000 r-xp 00000000 00:00 0 [vdso]
Anonymous: 0 kB
";

    #[test]
    fn only_the_programs_own_code_is_given_back() {
        let program = Path::new("/bin/plimsoll");
        assert_eq!(untouched_code(MAPS, program), Some((0x5000, 0x9000)));
        assert_eq!(untouched_code(MAPS, Path::new("/bin/other")), None);
        assert_eq!(untouched_code("", program), None);
    }

    #[test]
    fn code_that_was_written_to_stays() {
        let written = MAPS.replace("Anonymous: 0", "Anonymous: 8");
        assert_eq!(untouched_code(&written, Path::new("/bin/plimsoll")), None);
        let unknown = MAPS.replace("Anonymous", "Other");
        assert_eq!(untouched_code(&unknown, Path::new("/bin/plimsoll")), None);
    }

    #[test]
    fn a_program_that_gave_its_code_back_goes_on() {
        let_go();
        assert_eq!(format!("{:>3}", 7), "  7");
    }
}
