//! Decisions as CSV and as Parquet.

use bytes::Bytes;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::record::Field;
use plimsoll_core::{Decision, Outcome};
use plimsoll_store::export::COLUMNS;
use plimsoll_store::{DecisionFilter, Projector};

use crate::fixtures::{
    Fixture, at, closed, decision, fixture, node, numbered, open_decision, opened,
};

on_both_engines! {
    csv_has_a_header_and_a_row_for_each_decision_in_order
    parquet_says_the_same_with_types
    an_export_of_nothing_is_a_file_without_rows
    a_full_disk_is_an_error_and_no_panic
}

async fn filled(count: u64) -> Fixture {
    let fixture = fixture().await;
    let formula = Some("=HYPERLINK(\"x\"),\n\"y\"".to_owned());
    let mut records = vec![
        opened(open_decision(0)),
        closed(Decision {
            unit: formula,
            ..decision(1, Outcome::FellBack)
        }),
    ];
    records.extend((2..count).map(|number| closed(decision(number, Outcome::Served))));
    Projector::new(&fixture.store, node())
        .apply(&numbered(records))
        .await
        .unwrap();
    fixture
}

async fn csv_has_a_header_and_a_row_for_each_decision_in_order() {
    let fixture = filled(4_321).await;
    let mut bytes = Vec::new();
    let written = fixture
        .store
        .export_csv(&DecisionFilter::default(), &mut bytes)
        .await
        .unwrap();
    assert_eq!(written, 4_321);
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let names: Vec<String> = reader
        .headers()
        .unwrap()
        .iter()
        .map(str::to_owned)
        .collect();
    assert_eq!(names, COLUMNS.map(|column| column.name.to_owned()));
    let place = |name: &str| names.iter().position(|found| found == name).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 4_321);
    assert_eq!(&rows[0][place("outcome")], "");
    assert_eq!(&rows[1][place("outcome")], "fell_back");
    assert_eq!(&rows[1][place("unit")], "'=HYPERLINK(\"x\"),\n\"y\"");
    assert_eq!(&rows[1][place("cost")], "0.00019");
    assert_eq!(&rows[1][place("opened_at")], at(1).to_string());
    assert_eq!(&rows[1][place("micros")], "412");
    let times: Vec<&str> = rows.iter().map(|row| &row[place("opened_at")]).collect();
    assert!(times.is_sorted());
}

async fn parquet_says_the_same_with_types() {
    let fixture = filled(21_000).await;
    let mut bytes = Vec::new();
    let filter = DecisionFilter {
        since: Some(at(1)),
        ..DecisionFilter::default()
    };
    let written = fixture
        .store
        .export_parquet(&filter, &mut bytes)
        .await
        .unwrap();
    assert_eq!(written, 20_999);
    let reader = SerializedFileReader::new(Bytes::from(bytes)).unwrap();
    assert_eq!(reader.metadata().file_metadata().num_rows(), 20_999);
    assert_eq!(reader.num_row_groups(), 2);
    let first = reader.get_row_iter(None).unwrap().next().unwrap().unwrap();
    let fields: std::collections::HashMap<String, Field> = first
        .get_column_iter()
        .map(|(name, field)| (name.clone(), field.clone()))
        .collect();
    assert_eq!(fields.len(), COLUMNS.len());
    assert_eq!(fields["outcome"], Field::Str("fell_back".into()));
    assert_eq!(
        fields["opened_at"],
        Field::TimestampMicros(at(1).as_micros())
    );
    assert_eq!(fields["input_tokens"], Field::Long(120));
    assert_eq!(fields["confidence"], Field::Double(0.61));
    assert_eq!(fields["review"], Field::Null);
    assert_eq!(
        fields["unit"],
        Field::Str("=HYPERLINK(\"x\"),\n\"y\"".into())
    );
    assert_eq!(fields["cost"].to_string(), "0.000190000000");
}

async fn an_export_of_nothing_is_a_file_without_rows() {
    let fixture = fixture().await;
    let (mut text, mut bytes) = (Vec::new(), Vec::new());
    let filter = DecisionFilter::default();
    assert_eq!(
        fixture.store.export_csv(&filter, &mut text).await.unwrap(),
        0
    );
    assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 1);
    assert_eq!(
        fixture
            .store
            .export_parquet(&filter, &mut bytes)
            .await
            .unwrap(),
        0
    );
    let reader = SerializedFileReader::new(Bytes::from(bytes)).unwrap();
    assert_eq!(reader.metadata().file_metadata().num_rows(), 0);
}

/// A disk that is full after some bytes.
struct Full(usize);

impl std::io::Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self
            .0
            .checked_sub(bytes.len())
            .ok_or(std::io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn a_full_disk_is_an_error_and_no_panic() {
    let fixture = filled(3_000).await;
    let filter = DecisionFilter::default();
    let text = fixture
        .store
        .export_csv(&filter, Full(10_000))
        .await
        .unwrap_err();
    assert_eq!(text.to_string(), "the export could not be written");
    assert!(
        fixture
            .store
            .export_parquet(&filter, Full(1_000))
            .await
            .is_err()
    );
}
