//! Who may see what: read from the catalogue, and tried by direct SQL.

use plimsoll_core::Outcome;
use plimsoll_core::ports::Reviews as _;
use plimsoll_core::record::ReviewChange;
use plimsoll_store::{Projector, Store, StoreError, StoredReviews};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::server::{NODE, OWNER};
use crate::fixtures::{self, Fixture, at, closed, decision, node, numbered, review, tenant};

/// Every table of the schema, partitions too, with what is wrong with it.
const UNPROTECTED: &str = "SELECT relname::text FROM pg_class
    WHERE relnamespace = 'plimsoll'::regnamespace AND relkind IN ('r', 'p', 'f', 'm', 'v')
      AND (NOT relrowsecurity OR NOT relforcerowsecurity
        OR pg_get_userbyid(relowner) <> 'plimsoll_owner'
        OR NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid)
        OR EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'tenant'
                     AND NOT attisdropped)
           <> EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid AND polname = 'of_tenant'))";

/// A database with decisions and reviews of two tenants.
async fn two_tenants() -> Option<Fixture> {
    let fixture = fixtures::postgres().await?;
    let mut records = Vec::new();
    for (number, name) in [(1, "acme"), (2, "other"), (3, "acme")] {
        let mut decision = decision(number, Outcome::Served);
        decision.tenant = tenant(name);
        decision.unit = Some("application-1".to_owned());
        records.push(closed(decision));
        let review = review(number, name, 600);
        records.push(fixtures::review_event(
            &review,
            ReviewChange::Opened,
            at(number),
        ));
        StoredReviews::new(&fixture.store)
            .open(review)
            .await
            .unwrap();
    }
    records.push(fixtures::release("one", at(1)));
    let projector = Projector::new(&fixture.store, node());
    projector.apply(&numbered(records)).await.unwrap();
    Some(fixture)
}

async fn tables(connection: &mut PgConnection) -> Vec<String> {
    let sql = "SELECT relname::text FROM pg_class WHERE relnamespace = 'plimsoll'::regnamespace
        AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname";
    sqlx::query_scalar(sql).fetch_all(connection).await.unwrap()
}

async fn count(connection: &mut PgConnection, table: &str) -> i64 {
    let sql = AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
    sqlx::query_scalar(sql).fetch_one(connection).await.unwrap()
}

#[tokio::test]
async fn no_table_is_without_its_policy() {
    let Some(fixture) = two_tenants().await else {
        return;
    };
    let mut connection = fixture.database().connection(OWNER).await;
    let unprotected: Vec<String> = sqlx::query_scalar(UNPROTECTED)
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert_eq!(unprotected, Vec::<String>::new());
    let days: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'plimsoll.decisions'::regclass",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert!(days >= 2, "days were looked at too: {days}");
}

#[tokio::test]
async fn the_nodes_role_owns_nothing_and_passes_nothing() {
    let Some(fixture) = two_tenants().await else {
        return;
    };
    let mut connection = fixture.database().connection(NODE).await;
    let rights: (bool, bool, bool, bool) = sqlx::query_as(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles
         WHERE rolname = current_user",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(rights, (false, false, false, false));
    let owned: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM pg_shdepend WHERE refobjid = current_user::regrole AND deptype = 'o'",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!(owned, 0);
    for sql in [
        "CREATE TABLE plimsoll.mine (id text)",
        "ALTER TABLE plimsoll.reviews DISABLE ROW LEVEL SECURITY",
        "DROP POLICY of_tenant ON plimsoll.reviews",
        "SELECT plimsoll.admit('plimsoll_node')",
        "SELECT plimsoll.secure('reviews', false)",
        "TRUNCATE plimsoll.reviews",
        "DELETE FROM plimsoll.migrations",
        "SET ROLE plimsoll_owner",
    ] {
        let tried = sqlx::raw_sql(sql).execute(&mut connection).await;
        assert!(tried.is_err(), "{sql}");
    }
}

#[tokio::test]
async fn partitions_are_reached_through_their_parent_only() {
    let Some(fixture) = two_tenants().await else {
        return;
    };
    let mut connection = fixture.database().connection(NODE).await;
    sqlx::raw_sql("SET plimsoll.tenant = '*'")
        .execute(&mut connection)
        .await
        .unwrap();
    assert_eq!(count(&mut connection, "decisions").await, 3);
    let direct = sqlx::raw_sql("SELECT * FROM plimsoll.decisions_2026_03_14");
    assert!(direct.execute(&mut connection).await.is_err());
}

#[tokio::test]
async fn a_connection_that_set_nothing_sees_nothing() {
    let Some(fixture) = two_tenants().await else {
        return;
    };
    for role in [NODE, OWNER] {
        let mut connection = fixture.database().connection(role).await;
        for table in tables(&mut connection).await {
            assert_eq!(
                count(&mut connection, &table).await,
                0,
                "{role} sees {table}"
            );
        }
        // The setting that a transaction made does not outlive it.
        let mut transaction = connection.begin().await.unwrap();
        sqlx::raw_sql("SET LOCAL plimsoll.tenant = '*'")
            .execute(&mut *transaction)
            .await
            .unwrap();
        assert_eq!(count(&mut transaction, "decisions").await, 3);
        transaction.commit().await.unwrap();
        assert_eq!(count(&mut connection, "decisions").await, 0, "{role}");
    }
}

#[tokio::test]
async fn a_tenants_connection_sees_nothing_of_anothers() {
    let Some(fixture) = two_tenants().await else {
        return;
    };
    let mut connection = fixture.database().connection(NODE).await;
    sqlx::raw_sql("SET plimsoll.tenant = 'acme'")
        .execute(&mut connection)
        .await
        .unwrap();
    for (table, seen) in [
        ("decisions", 2),
        ("reviews", 2),
        ("review_events", 2),
        ("releases", 0),
    ] {
        assert_eq!(count(&mut connection, table).await, seen, "{table}");
    }
    for table in tables(&mut connection).await {
        let sql = AssertSqlSafe(format!(
            "SELECT * FROM {table} AS one WHERE one::text LIKE '%other%'"
        ));
        let found = sqlx::raw_sql(sql).fetch_all(&mut connection).await.unwrap();
        assert!(found.is_empty(), "{table} shows another tenant");
    }
    let stolen =
        sqlx::raw_sql("UPDATE reviews SET state = 'expired', closed_at = 1 WHERE tenant = 'other'");
    assert_eq!(
        stolen
            .execute(&mut connection)
            .await
            .unwrap()
            .rows_affected(),
        0
    );
    let planted = sqlx::raw_sql("UPDATE reviews SET tenant = 'other'")
        .execute(&mut connection)
        .await;
    assert!(planted.is_err(), "a row was moved to another tenant");
}

#[tokio::test]
async fn a_role_that_policies_do_not_bind_is_refused() {
    let Some(fixture) = two_tenants().await else {
        return;
    };
    for role in ["postgres", OWNER] {
        let mut config = fixture.database().config();
        config.url = fixture.database().url(role);
        config.migrate_url = None;
        let refused = Store::connect(&config, fixture.clock.clone()).await;
        assert!(matches!(refused, Err(StoreError::Role { .. })), "{role}");
    }
}
