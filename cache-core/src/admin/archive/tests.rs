use std::io::{Read as _, Write as _};

use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::model::entry::StorageLayout;
use crate::model::record::{
    Base64, ExpiryRecord, HttpRecord, Octets, RawRecord, Record, ResultRecord, Stored, StoredValue,
};

/// A record and the elements of its body.
type Whole = (Record, Vec<Vec<u8>>);

fn header() -> Header {
    let source = Source { kind: "redis".into(), location: "redis://localhost:6379/0".into(), instance: None };
    Header::for_undo("flush", 1_795_937_412.113, 2, source)
}

fn response() -> Record {
    Record::Http(Box::new(HttpRecord {
        id: Uuid::from_u128(0x62cd_ce78_0000_0000_0000_0000_0000_0001),
        layout: StorageLayout::Pipeline,
        cache_key: Some(Octets(b"GET:69ff".to_vec())),
        created_at: Some(1_795_350_469.848_798),
        expires_at: Some(1_795_436_869.9),
        body_expires_at: Some(1_795_436_869.9),
        is_complete: true,
        is_indexed: true,
        index_expires_at: None,
        method: Some("GET".into()),
        url: Some("https://api.example/anime/1".into()),
        status: Some(200),
        stored: Stored::from([("data".to_owned(), StoredValue::bytes(*b"\x81\xa1"))]),
    }))
}

fn write(records: &[Whole]) -> Vec<u8> {
    let mut writer = ArchiveWriter::new(Vec::new(), &header()).unwrap();
    for (record, body) in records {
        writer.record(record).unwrap();
        for element in body {
            writer.chunk(element).unwrap();
        }
        writer.end(false).unwrap();
    }
    writer.finish().unwrap().0
}

/// Everything that can be read: whole records only.
fn read(file: &[u8]) -> Result<(Vec<Whole>, Ending), ArchiveError> {
    let mut reader = ArchiveReader::new(file)?;
    let mut records = Vec::new();
    'records: while let Some(record) = reader.next_record()? {
        let mut body = Vec::new();
        loop {
            match reader.next_chunk() {
                Ok(Some(element)) => body.push(element.to_vec()),
                Ok(None) => break,
                Err(ArchiveError::Cut) => break 'records,
                Err(error) => return Err(error),
            }
        }
        records.push((record, body));
    }
    Ok((records, reader.ending()))
}

fn text(file: &[u8]) -> String {
    let mut text = String::new();
    MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn the_lines_are_those_of_the_format() {
    let result = Record::Result(ResultRecord {
        key: Octets(b"result_cache:p:1".to_vec()),
        created_at: None,
        expires_at: None,
        value: Some(Octets(br#"{"id": 1}"#.to_vec())),
    });
    let raw = Record::Raw(RawRecord {
        key: Octets(b"hishel_cache:\xff".to_vec()),
        kind: "list".into(),
        expires_at: None,
        rdb: Some(10),
        dump: Some(Base64(b"\x00\x01".to_vec())),
        row: Stored::new(),
    });
    let expiry = Record::Expiry(ExpiryRecord {
        layout: Some(StorageLayout::Hishel2),
        id: Octets(b"62cdce78000000000000000000000001".to_vec()),
        expires_at: Some(1_795_436_869.9),
        version: Some(u64::MAX),
        size: None,
    });
    let file = write(&[
        (response(), vec![b"first".to_vec(), b"".to_vec()]),
        (result, vec![]),
        (raw, vec![]),
        (expiry, vec![]),
    ]);
    let expected = [
        r#"{"animecache":"export","version":1,"reason":"undo","command":"flush","created_at":1795937412.113,"tool":"0.1.0","redacted":false,"planned":2,"source":{"kind":"redis","location":"redis://localhost:6379/0"}}"#,
        r#"{"http":{"id":"62cdce78-0000-0000-0000-000000000001","layout":"pipeline","cache_key":"GET:69ff","created_at":1795350469.848798,"expires_at":1795436869.9,"body_expires_at":1795436869.9,"method":"GET","url":"https://api.example/anime/1","status":200,"stored":{"data":"gaE="}}}"#,
        r#"{"chunk":"Zmlyc3Q="}"#,
        r#"{"chunk":""}"#,
        r#"{"end":{"chunks":2,"bytes":5,"sha256":"a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e"}}"#,
        r#"{"result":{"key":"result_cache:p:1","expires_at":null,"value":"{\"id\": 1}"}}"#,
        r#"{"raw":{"key":{"base64":"aGlzaGVsX2NhY2hlOv8="},"type":"list","expires_at":null,"rdb":10,"dump":"AAE="}}"#,
        r#"{"expiry":{"layout":"hishel2","id":"62cdce78000000000000000000000001","expires_at":1795436869.9,"version":18446744073709551615}}"#,
    ];
    let text = text(&file);
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[..8], expected);
    let footer = r#"{"total":{"http":1,"result":1,"raw":1,"expiry":1,"bytes":16,"sha256":""#;
    assert!(lines[8].starts_with(footer), "{}", lines[8]);
    assert_eq!(lines.len(), 9);
}

#[test]
fn a_reader_ignores_fields_and_refuses_kinds_and_versions() {
    let header = serde_json::to_string(&header()).unwrap();
    let line = r#"{"result":{"key":"result_cache:p:1","expires_at":null,"value":"1","later":true},"beside":1}"#;
    let (records, ending) = read(format!("{header}\n{line}\n").as_bytes()).unwrap();
    assert_eq!((records.len(), ending), (1, Ending::CutOff));

    let later = format!("{}\n", header.replace(r#""version":1"#, r#""version":2"#));
    assert!(matches!(read(later.as_bytes()), Err(ArchiveError::Version(2))));
    let unknown = format!("{header}\n{line}\n{{\"video\":{{}}}}\n");
    assert!(matches!(read(unknown.as_bytes()), Err(ArchiveError::Damaged { records: 1, .. })));
    for other in ["", "{}\n", "{\"animecache\":\"list\"}\n", "\u{1f}", "PK\x03\x04"] {
        assert!(matches!(read(other.as_bytes()), Err(ArchiveError::NotAnArchive)), "{other:?}");
    }
}

#[test]
fn a_body_that_differs_is_an_error_and_the_next_record_is_read() {
    let result = Record::Result(ResultRecord {
        key: Octets(b"result_cache:p:1".to_vec()),
        created_at: None,
        expires_at: None,
        value: Some(Octets(b"1".to_vec())),
    });
    let file = write(&[(response(), vec![b"first".to_vec()]), (result.clone(), vec![])]);
    let changed = text(&file).replace("Zmlyc3Q=", "Zmlyc3R=").replace("Zmlyc3R=", "c2Vjb25k");
    let mut reader = ArchiveReader::new(changed.as_bytes()).unwrap();
    assert_eq!(reader.next_record().unwrap(), Some(response()));
    assert_eq!(reader.next_chunk().unwrap().as_deref(), Some(&b"second"[..]));
    assert!(matches!(reader.next_chunk(), Err(ArchiveError::Body)));
    assert_eq!(reader.next_record().unwrap(), Some(result));
    assert!(matches!(reader.next_record(), Err(ArchiveError::Damaged { records: 2, .. })));
}

#[test]
fn a_void_record_is_none() {
    let mut writer = ArchiveWriter::new(Vec::new(), &header()).unwrap();
    writer.record(&response()).unwrap();
    writer.chunk(b"half").unwrap();
    writer.end(true).unwrap();
    let (file, totals) = writer.finish().unwrap();
    assert_eq!(totals, Totals::default());
    assert!(matches!(read(&file), Err(ArchiveError::Void)));
    let mut reader = ArchiveReader::new(&file[..]).unwrap();
    reader.next_record().unwrap();
    assert_eq!(reader.next_record().unwrap(), None);
    assert_eq!((reader.ending(), reader.totals()), (Ending::Whole, Totals::default()));
}

#[test]
fn a_flushed_member_is_read_whatever_follows() {
    let mut writer = ArchiveWriter::new(Vec::new(), &header()).unwrap();
    writer.record(&response()).unwrap();
    writer.chunk(b"first").unwrap();
    writer.end(false).unwrap();
    writer.flush().unwrap();
    let flushed = writer.get_ref().len();
    assert_eq!(writer.written(), flushed as u64);
    writer.record(&response()).unwrap();
    writer.end(false).unwrap();
    let file = writer.finish().unwrap().0;
    for length in flushed..file.len() {
        let (records, ending) = read(&file[..length]).unwrap();
        assert_eq!((records.len(), ending), (1, Ending::CutOff), "{length}");
    }
    assert_eq!(read(&file).unwrap().0.len(), 2);
}

#[test]
fn a_changed_byte_is_noticed_anywhere() {
    let file = write(&[(response(), vec![vec![7; 3_000], b"x".to_vec()]), (response(), vec![])]);
    let whole = read(&file).unwrap();
    for at in 0..file.len() {
        for bit in [1, 0x80] {
            let mut changed = file.clone();
            changed[at] ^= bit;
            match read(&changed) {
                Ok((records, Ending::Whole)) => assert_eq!(records, whole.0, "byte {at}"),
                Ok((records, _)) => assert!(whole.0.starts_with(&records), "byte {at}"),
                Err(_) => {}
            }
        }
    }
}

#[test]
fn long_elements_come_back_whole_from_members_of_whole_lines() {
    let body: Vec<Vec<u8>> = (0..4_u8).map(|n| vec![n; 700_000]).collect();
    let file = write(&[(response(), body.clone())]);
    let (records, ending) = read(&file).unwrap();
    assert_eq!(ending, Ending::Whole);
    assert!(records[0].1 == body);
    let mut plain = Vec::new();
    let mut rest = &file[..];
    let mut members = 0;
    while !rest.is_empty() {
        plain.clear();
        let mut member = flate2::bufread::GzDecoder::new(rest);
        member.read_to_end(&mut plain).unwrap();
        assert!(plain.ends_with(b"}\n") && plain.len() < (1 << 20) + 200_000, "{}", plain.len());
        rest = member.into_inner();
        members += 1;
    }
    assert!(members > 3, "{members}");
}

#[test]
fn a_member_without_a_line_end_is_no_record() {
    let mut member = GzEncoder::new(Vec::new(), flate2::Compression::fast());
    writeln!(member, "{}", serde_json::to_string(&header()).unwrap()).unwrap();
    write!(member, r#"{{"result":{{"key":"k","expires_at":null,"value":"1"}}}}"#).unwrap();
    assert_eq!(read(&member.finish().unwrap()).unwrap(), (vec![], Ending::CutOff));
}

fn value() -> impl Strategy<Value = StoredValue> {
    let real = prop::num::f64::NORMAL | prop::num::f64::ZERO;
    prop_oneof![
        Just(StoredValue::Null),
        any::<i64>().prop_map(StoredValue::Integer),
        real.prop_map(StoredValue::Real),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(StoredValue::bytes),
        ".{0,8}".prop_map(|text| StoredValue::Text { text }),
    ]
}

fn octets() -> impl Strategy<Value = Octets> {
    prop::collection::vec(any::<u8>(), 0..20).prop_map(Octets)
}

fn body() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..4)
}

fn time() -> impl Strategy<Value = Option<f64>> {
    prop::option::of(0.0..4e9)
}

fn whole() -> impl Strategy<Value = Whole> {
    const LAYOUTS: [StorageLayout; 5] = [
        StorageLayout::Pipeline,
        StorageLayout::Hishel1,
        StorageLayout::Hishel2,
        StorageLayout::Sqlite1,
        StorageLayout::Sqlite2,
    ];
    let layout = prop::sample::select(&LAYOUTS[..]);
    let stored = prop::collection::btree_map("[a-z_]{1,8}", value(), 0..4);
    let fields = (any::<u128>(), layout.clone(), prop::option::of(octets()), time(), any::<(bool, bool)>(), stored);
    let http = (fields, body()).prop_map(|((id, layout, cache_key, at, (is_complete, is_indexed), stored), body)| {
        let record = HttpRecord {
            id: Uuid::from_u128(id),
            layout,
            cache_key,
            created_at: at,
            expires_at: at,
            body_expires_at: None,
            is_complete,
            is_indexed,
            index_expires_at: at,
            method: None,
            url: None,
            status: Some(404),
            stored,
        };
        (Record::Http(Box::new(record)), body)
    });
    let result = (octets(), time(), prop::option::of(octets()), body()).prop_map(|(key, at, value, body)| {
        let body = if value.is_none() { body } else { Vec::new() };
        (Record::Result(ResultRecord { key, created_at: at, expires_at: at, value }), body)
    });
    let expiry =
        (octets(), prop::option::of(layout), time(), any::<Option<u64>>()).prop_map(|(id, layout, at, version)| {
            (Record::Expiry(ExpiryRecord { layout, id, expires_at: at, version, size: version }), Vec::new())
        });
    prop_oneof![http, result, expiry]
}

proptest! {
    #[test]
    fn every_record_comes_back(records in prop::collection::vec(whole(), 0..8)) {
        prop_assert_eq!(read(&write(&records)).unwrap(), (records, Ending::Whole));
    }
}
