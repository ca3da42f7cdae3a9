//! The identity provider through which people sign in.

use plimsoll_core::TenantName;
use plimsoll_spec::Role;

use crate::folder::{Folder, loan};

const PROVIDER: &str = "[oidc]\nissuer = \"https://login.example.com/realms/ops/\"\nclient_id = \"plimsoll\"\nclient_secret = { env = \"OIDC\" }\n";

fn with(settings: &str) -> Folder {
    let text = format!("{PROVIDER}{settings}");
    loan().with("plimsoll.toml", &text).env("OIDC", "hunter2")
}

#[test]
fn a_provider_is_read_with_what_its_groups_may_do() {
    let folder = with(
        "scopes = [\"openid\", \"groups\"]\nbase_url = \"https://plimsoll.example.com/\"\n\
         [oidc.groups.\"platform team\"]\nroles = [\"operator\", \"auditor\"]\n\
         [oidc.groups.\"/agency\"]\nroles = [\"reviewer\"]\ntenants = [\"globex\", \"acme\"]\n",
    );
    let workspace = folder.workspace();
    assert!(!format!("{workspace:?}").contains("hunter2"));
    let provider = workspace.identity.unwrap();
    // An issuer is compared as it is written.
    assert_eq!(provider.issuer, "https://login.example.com/realms/ops/");
    assert_eq!(provider.client_secret.as_ref().unwrap().expose(), "hunter2");
    assert_eq!(provider.scopes, ["groups"]);
    assert_eq!(
        provider.redirect_url(),
        "https://plimsoll.example.com/api/v1/session/oidc/callback"
    );
    let of = |groups: &[&str]| {
        let granted = provider.granted(groups.iter().copied());
        let place = |(tenant, roles): (Option<TenantName>, _)| {
            (tenant.map(|tenant| tenant.to_string()), roles)
        };
        granted.into_iter().map(place).collect::<Vec<_>>()
    };
    assert_eq!(of(&["nobody"]), []);
    assert_eq!(
        of(&["platform team", "/agency"]),
        [
            (None, [Role::Operator, Role::Auditor].into()),
            (Some("acme".to_owned()), [Role::Reviewer].into()),
            (Some("globex".to_owned()), [Role::Reviewer].into()),
        ]
    );
    assert!(loan().workspace().identity.is_none());
}

#[test]
fn what_is_not_said_is_what_most_providers_do() {
    let folder = with("[oidc.groups.sre]\nroles = [\"operator\"]\n");
    let provider = folder.workspace().identity.unwrap();
    assert_eq!(provider.scopes, ["profile", "email"]);
    assert_eq!(provider.base_url, "http://127.0.0.1:8081");
    let claims = [
        &provider.groups_claim,
        &provider.name_claim,
        &provider.display_claim,
    ];
    assert_eq!(claims, ["groups", "sub", "email"]);
}

#[test]
fn a_provider_is_held_to_the_rules() {
    let folder = loan().with(
        "plimsoll.toml",
        "[oidc]\nissuer = \"http://login.example.com?x\"\nclient_id = \"a\"\nclient_secret = \"hunter2\"\nbase_url = \"http://plimsoll.example.com\"\nscopes = [\"a b\"]\ngroup_claim = \"x\"\n\
         [oidc.groups.a]\nroles = [\"tenant_admin\"]\n[oidc.groups.b]\nroles = [\"platform_admin\"]\ntenants = [\"acme\"]\n[oidc.groups.c]\nroles = []\ntenants = []\n",
    );
    let told = folder.told();
    assert!(!told.contains("hunter2"), "{told}");
    assert!(told.contains("did you mean `groups_claim`?"), "{told}");
    insta::assert_debug_snapshot!(folder.messages(), @r#"
    [
        "plimsoll.toml:2 error: an issuer has no query and no fragment",
        "plimsoll.toml:2 error: `oidc.issuer` is plain HTTP to another network: whoever is in between vouches for anybody",
        "plimsoll.toml:4 error: `oidc.client_secret` must say where the secret is, not hold it",
        "plimsoll.toml:5 error: `oidc.base_url` is plain HTTP to another network: sessions go over it",
        "plimsoll.toml:6 error: `a b` is no scope",
        "plimsoll.toml:7 error: `[oidc]` has no key `group_claim`",
        "plimsoll.toml:8 error: group `a` is a tenant's admin, and of no tenant",
        "plimsoll.toml:12 error: group `b` works for one tenant, and is to rule over all",
        "plimsoll.toml:14 error: group `c` has no role",
        "plimsoll.toml:15 error: group `c` works for no tenant",
    ]
    "#);
    let none = with("");
    assert!(
        none.told().contains("`[oidc]` has no `groups`"),
        "{}",
        none.told()
    );
    let none = with("[oidc.groups]\n");
    assert!(
        none.told().contains("nobody could sign in"),
        "{}",
        none.told()
    );
}

#[test]
fn what_its_groups_may_do_is_a_policy_in_force_without_a_secret() {
    let before = with("[oidc.groups.sre]\nroles = [\"operator\"]\n").workspace();
    let folder = with("[oidc.groups.sre]\nroles = [\"operator\"]\ntenants = [\"acme\"]\n");
    let after = folder.env("OIDC", "hunter3").workspace();
    let policies = after.policies(Some(&before));
    let identity = policies
        .iter()
        .find(|policy| policy.name == "identity")
        .unwrap();
    assert_eq!(
        identity.document.to_string(),
        r#"{"client_id":"plimsoll","groups":{"sre":{"roles":["operator"],"tenants":["acme"]}},"groups_claim":"groups","issuer":"https://login.example.com/realms/ops/","name_claim":"sub","rotated":["client_secret"]}"#
    );
    let without = loan().workspace().policies(None);
    assert!(without.iter().all(|policy| policy.name != "identity"));
}
