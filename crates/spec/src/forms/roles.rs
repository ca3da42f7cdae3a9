//! The roles of operators, as `plimsoll.toml` and `system.toml` name them.

/// Each role with what it may do.
pub(crate) const ROLES: &[(&str, &str)] = &[
    ("viewer", "reads what holds no payload, as every role does"),
    (
        "operator",
        "makes and deploys releases, halts, drills, reloads, erases, holds and answers reviews",
    ),
    (
        "approver",
        "approves releases, and reviews deployments that overrode approvals",
    ),
    ("reviewer", "answers reviews and reads payloads"),
    ("auditor", "reads the audit log, payloads and who read them"),
    (
        "tenant_admin",
        "gives, rotates and revokes keys of their tenant",
    ),
    (
        "platform_admin",
        "makes tenants, and gives, rotates and revokes keys of all of them",
    ),
];

#[cfg(test)]
mod tests {
    use super::ROLES;
    use crate::Role;

    #[test]
    fn every_role_has_its_words() {
        let words: Vec<&str> = ROLES.iter().map(|(word, _)| *word).collect();
        assert_eq!(words, Role::ALL.map(Role::as_str));
    }
}
