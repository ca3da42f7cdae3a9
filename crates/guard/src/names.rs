//! Which known name was probably meant.

/// The known name that is nearest to `name`, if one is near.
pub(crate) fn nearest(name: &str, known: &[&str]) -> Option<String> {
    const NEAR: f64 = 0.8;
    let near = known
        .iter()
        .map(|known| (strsim::jaro_winkler(name, known), known));
    let (likeness, best) = near.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    (likeness >= NEAR).then(|| (*best).to_owned())
}
