//! Settled answers as bytes: a version, then the fields in a fixed order.
//!
//! Instances of several versions share one Redis: a change of the fields is another version, and
//! what has another version than this build's is not read.

use std::time::Duration;

use bytes::Bytes;
use payonce_domain::idempotency::{Fingerprint, RecordId, SettledAnswer, StoredAnswer};
use payonce_domain::ports::CachedAnswer;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

const VERSION: u8 = 2;

#[derive(Serialize, Deserialize)]
struct Fields<'a> {
    account: &'a str,
    key_space: &'a str,
    key: &'a str,
    fingerprint_version: i16,
    fingerprint: &'a [u8],
    life: Duration,
    ends_at_millis: u64,
    status: u16,
    content_type: &'a str,
    location: Option<&'a str>,
    body: &'a [u8],
    expires_at: Time,
    told_at: Time,
    request_id: &'a str,
}

/// Seconds since 1970, and nanoseconds.
type Time = (i64, u32);

/// What the bytes say.
#[derive(Debug, PartialEq, Eq)]
pub struct Stored {
    /// What was asked for.
    pub fingerprint: Fingerprint,
    /// What is replayed.
    pub answer: SettledAnswer,
    /// How long it was to live when it was sent.
    pub life: Duration,
    /// When it stops being replayed, by Redis's clock.
    pub ends_at_millis: u64,
}

/// The bytes of an answer that lives for so long, until then by Redis's clock.
pub fn encode(cached: &CachedAnswer, life: Duration, ends_at_millis: u64) -> Option<Vec<u8>> {
    let CachedAnswer { record, fingerprint, answer: settled, .. } = cached;
    let fields = Fields {
        account: record.account.as_str(),
        key_space: record.space.as_str(),
        key: record.key.as_str(),
        fingerprint_version: fingerprint.version,
        fingerprint: &fingerprint.digest,
        life,
        ends_at_millis,
        status: settled.answer.status,
        content_type: &settled.answer.content_type,
        location: settled.answer.location.as_deref(),
        body: &settled.answer.body,
        expires_at: time_of(settled.expires_at),
        told_at: time_of(settled.told_at),
        request_id: settled.request_id.as_str(),
    };
    postcard::to_extend(&fields, vec![VERSION]).ok()
}

/// Reads what [`encode`] wrote for that key, and nothing else.
pub fn decode(bytes: &[u8], record: &RecordId) -> Option<Stored> {
    let (&VERSION, fields) = bytes.split_first()? else {
        return None;
    };
    let (fields, []) = postcard::take_from_bytes::<Fields<'_>>(fields).ok()? else {
        return None;
    };
    let of = (fields.account, fields.key_space, fields.key);
    if of != (record.account.as_str(), record.space.as_str(), record.key.as_str()) {
        return None;
    }
    Some(Stored {
        fingerprint: Fingerprint {
            version: fields.fingerprint_version,
            digest: fields.fingerprint.into(),
        },
        answer: SettledAnswer {
            answer: StoredAnswer {
                status: fields.status,
                content_type: fields.content_type.to_owned(),
                location: fields.location.map(str::to_owned),
                body: Bytes::copy_from_slice(fields.body),
            },
            expires_at: read_time(fields.expires_at)?,
            told_at: read_time(fields.told_at)?,
            request_id: fields.request_id.parse().ok()?,
        },
        life: fields.life,
        ends_at_millis: fields.ends_at_millis,
    })
}

fn time_of(time: OffsetDateTime) -> Time {
    (time.unix_timestamp(), time.nanosecond())
}

fn read_time((seconds, nanos): Time) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp(seconds).ok()?.replace_nanosecond(nanos).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use payonce_domain::idempotency::{IdempotencyKey, KeySpace};

    use super::*;

    fn cached() -> CachedAnswer {
        let at = |seconds| OffsetDateTime::from_unix_timestamp(seconds).expect("a time");
        CachedAnswer {
            record: RecordId {
                account: "default".parse().expect("an account"),
                space: KeySpace::Order,
                key: IdempotencyKey::from_body("ORD „123“").expect("a key"),
            },
            fingerprint: Fingerprint::of(&[]),
            answer: Arc::new(SettledAnswer {
                answer: StoredAnswer {
                    status: 201,
                    content_type: "application/json".to_owned(),
                    location: None,
                    body: Bytes::from_static(b"\x00\xff{}"),
                },
                expires_at: at(33_000_000_000),
                told_at: at(1_700_000_000),
                request_id: "req-1".parse().expect("an id"),
            }),
            live_until: Duration::ZERO,
        }
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        let cached = cached();
        let life = Duration::from_millis(1_234_567);
        let bytes = encode(&cached, life, 99).expect("it is encoded");
        let read = decode(&bytes, &cached.record).expect("it is read");
        assert_eq!(read.answer.told_at, cached.answer.told_at);
        let CachedAnswer { fingerprint, answer, .. } = cached;
        let answer = (*answer).clone();
        assert_eq!(read, Stored { fingerprint, answer, life, ends_at_millis: 99 });
    }

    #[test]
    fn another_keys_answer_is_not_read() {
        let bytes = encode(&cached(), Duration::ZERO, 0).expect("it is encoded");
        let RecordId { account, key, space } = cached().record;
        let others = [
            RecordId { account: "another".parse().expect("an account"), ..cached().record },
            RecordId { space: KeySpace::Key, ..cached().record },
            RecordId { key: IdempotencyKey::from_body("ORD").expect("a key"), account, space },
        ];
        assert!(decode(&bytes, &RecordId { key, ..cached().record }).is_some());
        for other in others {
            assert_eq!(decode(&bytes, &other), None, "{other:?}");
        }
    }

    #[test]
    fn another_version_and_bytes_too_few_or_too_many_are_not_read() {
        let bytes = encode(&cached(), Duration::ZERO, 0).expect("it is encoded");
        let decode = |bytes: &[u8]| decode(bytes, &cached().record);
        assert!(decode(&bytes).is_some());
        let mut newer = bytes.clone();
        *newer.first_mut().expect("a version") += 1;
        assert_eq!(decode(&newer), None);
        assert_eq!(decode(&[&bytes[..], b"x"].concat()), None);
        for length in 0..bytes.len() {
            assert_eq!(decode(&bytes[..length]), None, "{length}");
        }
    }
}
