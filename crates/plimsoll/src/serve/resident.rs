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

/// Lets go of the pages of this program's code and constants that are resident. What cannot be let go
/// stays.
#[cfg(target_os = "linux")]
fn let_go() {
    let (Ok(maps), Ok(program)) = (
        std::fs::read_to_string("/proc/self/smaps"),
        std::fs::read_link("/proc/self/exe"),
    ) else {
        return;
    };
    for (start, end) in untouched(&maps, &program) {
        let begin = std::ptr::with_exposed_provenance_mut(start);
        #[expect(
            unsafe_code,
            reason = "madvise is unsafe, as it may drop what was written to memory"
        )]
        // SAFETY: the range is one mapping of this program's file that is never writable and of which no
        // page was written to (`untouched`). Letting go of it changes no byte: a page that is used
        // again is read from the file.
        let given_back = unsafe { madvise(begin, end - start, Advice::LinuxDontNeed) };
        if let Err(error) = given_back {
            tracing::debug!(%error, "no code was given back");
        }
    }
}

/// Elsewhere the operating system decides alone.
#[cfg(not(target_os = "linux"))]
fn let_go() {}

/// Where code and constants of `program` are mapped, by `/proc/self/smaps`, as far as every page is still a
/// copy of the file: the loader writes addresses into some, a debugger its breakpoints.
fn untouched(maps: &str, program: &Path) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut mapping = None;
    for line in maps.lines() {
        let mut words = line.split_ascii_whitespace();
        let first = words.next().unwrap_or_default();
        if let Some((start, end)) = first.split_once('-') {
            let is_constant = matches!(words.next(), Some("r-xp" | "r--p"));
            let file = words.nth(3).map(Path::new);
            let address = |text| usize::from_str_radix(text, 16).ok();
            mapping = address(start)
                .zip(address(end))
                .filter(|_| is_constant && file == Some(program));
        } else if first == "Anonymous:" && words.next() != Some("0") {
            mapping = None;
        } else if first == "Swap:" && words.next() == Some("0") {
            // What was written to may have gone to the swap, where it is no memory any more.
            found.extend(mapping.take());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The third mapping holds addresses that the loader wrote.
    const MAPS: &str = "\
1000-5000 r--p 00000000 fe:00 7 /bin/plimsoll
Rss: 16 kB
Anonymous: 0 kB
Swap: 0 kB
VmFlags: rd
5000-9000 r-xp 00004000 fe:00 7 /bin/plimsoll
Rss: 16 kB
Anonymous: 0 kB
Swap: 0 kB
VmFlags: rd ex
9000-c000 r--p 00008000 fe:00 7 /bin/plimsoll
Rss: 12 kB
Anonymous: 12 kB
Swap: 0 kB
VmFlags: rd
c000-d000 r-xp 00000000 00:00 0 [vdso]
Anonymous: 0 kB
Swap: 0 kB
";

    #[test]
    fn only_the_programs_own_constant_pages_are_given_back() {
        let program = Path::new("/bin/plimsoll");
        assert_eq!(
            untouched(MAPS, program),
            [(0x1000, 0x5000), (0x5000, 0x9000)]
        );
        assert_eq!(untouched(MAPS, Path::new("/bin/other")), []);
        assert_eq!(untouched("", program), []);
    }

    #[test]
    fn what_was_written_to_or_may_be_stays() {
        let program = Path::new("/bin/plimsoll");
        let written = MAPS.replace("Anonymous: 0", "Anonymous: 8");
        assert_eq!(untouched(&written, program), []);
        let swapped = MAPS.replace("Swap: 0", "Swap: 8");
        assert_eq!(untouched(&swapped, program), []);
        let unknown = MAPS.replace("Swap", "Other");
        assert_eq!(untouched(&unknown, program), []);
        let writable = MAPS.replace("r--p", "rw-p");
        assert_eq!(untouched(&writable, program), [(0x5000, 0x9000)]);
    }

    #[test]
    fn a_program_that_gave_its_code_back_goes_on() {
        let_go();
        assert_eq!(format!("{:>3}", 7), "  7");
    }
}
