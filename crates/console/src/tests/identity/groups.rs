//! The groups of somebody at the provider are their roles and tenants here.

use super::*;

#[tokio::test]
async fn whoever_is_in_no_mapped_group_is_let_in_nowhere_and_that_is_recorded() {
    let place = place().await;
    for groups in [vec![], vec!["everybody"], vec!["SRE"]] {
        let back = place.sign_in("", &groups).await;
        assert_eq!(
            (back.status, back.code()),
            (403, "no_place"),
            "{}",
            back.body
        );
        assert!(
            back.message().contains("`oidc:248289761001`"),
            "{}",
            back.body
        );
        assert_eq!(back.session(), None);
        let last = place.node.asked().pop().unwrap();
        let begun = "account oidc:248289761001 RefusedThrough";
        assert!(
            last.starts_with(begun) && last.contains("248289761001"),
            "{last}"
        );
    }
    let away = place.begin("").await;
    let mut claims = place.claims(&away);
    claims["groups"] = json!({"sre": true});
    let back = place.come_back_with(&away, key().sign(&claims)).await;
    assert_eq!(back.code(), "no_place");
}

#[tokio::test]
async fn somebody_works_for_one_tenant_at_a_time_with_what_they_may_do_there() {
    let place = place().await;
    for (query, groups, expected) in [
        (
            "",
            vec!["acme admins"],
            Ok((json!(["tenant_admin"]), json!("acme"))),
        ),
        (
            "?tenant=acme",
            vec!["acme admins", "agency"],
            Ok((json!(["reviewer", "tenant_admin"]), json!("acme"))),
        ),
        (
            "?tenant=globex",
            vec!["acme admins", "agency"],
            Ok((json!(["reviewer"]), json!("globex"))),
        ),
        ("", vec!["agency"], Err("acme, globex")),
        (
            "",
            vec!["agency", "audit"],
            Ok((json!(["auditor"]), Value::Null)),
        ),
        (
            "?tenant=globex",
            vec!["acme admins"],
            Err("tenant `globex`"),
        ),
        ("?tenant=acme", vec!["sre"], Err("tenant `acme`")),
    ] {
        let back = place.sign_in(query, &groups).await;
        match expected {
            Ok((roles, tenant)) => {
                assert_eq!(back.status, 200, "{query} {groups:?}: {}", back.body);
                assert_eq!(
                    (&back.body["roles"], &back.body["tenant"]),
                    (&roles, &tenant)
                );
            }
            Err(part) => {
                assert_eq!(back.code(), "no_place", "{query} {groups:?}: {}", back.body);
                assert!(back.message().contains(part), "{}", back.body);
            }
        }
    }
}

#[tokio::test]
async fn what_the_workspace_says_of_groups_holds_at_once_for_who_is_signed_in() {
    let place = place().await;
    let session = place.sign_in("", &["sre"]).await.session().unwrap();
    let mut rules = place.rules.clone();
    rules
        .groups
        .insert("sre".into(), grant(&[Role::Viewer], &[]));
    place.operators.replace_provider(Some(rules.clone()));
    assert_eq!(place.who(&session).await.body["roles"], json!(["viewer"]));
    rules.groups = BTreeMap::from([("audit".into(), grant(&[Role::Auditor], &[]))]);
    place.operators.replace_provider(Some(rules));
    assert_eq!(place.who(&session).await.status, 401);
    place.operators.replace_provider(Some(place.rules.clone()));
    let other = IdentityProvider {
        issuer: "https://other.example.com".into(),
        ..place.rules.clone()
    };
    assert_eq!(place.who(&session).await.status, 200);
    place.operators.replace_provider(Some(other));
    assert_eq!(
        place.who(&session).await.status,
        401,
        "another provider's people"
    );
    place.operators.replace_provider(None);
    assert_eq!(place.who(&session).await.status, 401);
    let begun = place.ask(("GET", BEGIN), &[]).await;
    assert_eq!((begun.status, begun.code()), (404, "provider_missing"));
}

#[tokio::test]
async fn people_are_named_by_the_claim_that_the_workspace_says() {
    let place = place_of(|rules| rules.name_claim = "upn".into()).await;
    let away = place.begin("").await;
    let mut claims = place.claims(&away);
    claims["upn"] = json!("ann@corp");
    let back = place.come_back_with(&away, key().sign(&claims)).await;
    assert_eq!(back.body["name"], "oidc:ann@corp", "{}", back.body);
    assert_eq!(place.sign_in("", &["sre"]).await.code(), "sign_in_failed");

    let place = place_of(|rules| rules.name_claim = "email".into()).await;
    for (verified, status) in [(json!(true), 200), (json!(false), 401), (Value::Null, 401)] {
        let away = place.begin("").await;
        let mut claims = place.claims(&away);
        claims["email_verified"] = verified;
        let back = place.come_back_with(&away, key().sign(&claims)).await;
        assert_eq!(back.status, status, "{}", back.body);
    }
}
