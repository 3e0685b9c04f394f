//! Reads Prometheus' text format, and fails on whatever is none.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What a service shows of itself.
#[derive(Debug)]
pub struct Shown {
    families: HashMap<String, Family>,
    samples: Vec<Sample>,
}

#[derive(Debug, Default)]
struct Family {
    kind: String,
    has_help: bool,
}

/// One line with a value.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The name, with the suffix of a histogram's lines.
    pub name: String,
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// The value.
    pub value: f64,
}

impl Shown {
    /// Reads all of it.
    pub fn parse(text: &str) -> Self {
        let mut shown = Self { families: HashMap::new(), samples: Vec::new() };
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(comment) = line.strip_prefix("# ") {
                shown.describe(comment);
            } else {
                let sample = Sample::parse(line);
                assert!(shown.family(&sample.name).is_some(), "no type before: {line}");
                shown.samples.push(sample);
            }
        }
        assert_eq!(shown.series().len(), shown.samples.len(), "a series is there twice: {text}");
        shown
    }

    fn describe(&mut self, comment: &str) {
        let mut words = comment.splitn(3, ' ');
        let (what, name) = (words.next().expect("what"), words.next().expect("a name"));
        let rest = words.next().unwrap_or_default();
        let family = self.families.entry(name.to_owned()).or_default();
        match what {
            "HELP" => family.has_help = !rest.is_empty(),
            "TYPE" => {
                assert!(["counter", "gauge", "histogram"].contains(&rest), "{comment}");
                assert!(family.kind.is_empty(), "twice: {comment}");
                rest.clone_into(&mut family.kind);
            }
            _ => panic!("neither help nor type: {comment}"),
        }
    }

    fn family(&self, sample: &str) -> Option<&Family> {
        let of_histogram = ["_bucket", "_sum", "_count"]
            .iter()
            .filter_map(|suffix| self.families.get(sample.strip_suffix(suffix)?))
            .find(|family| family.kind == "histogram");
        self.families.get(sample).or(of_histogram)
    }

    /// The families without words that explain them.
    pub fn unexplained(&self) -> Vec<&str> {
        let unexplained = self.families.iter().filter(|(_, family)| !family.has_help);
        unexplained.map(|(name, _)| name.as_str()).collect()
    }

    /// The name of every family.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.families.keys().map(String::as_str)
    }

    /// Every name with its labels.
    pub fn series(&self) -> BTreeSet<String> {
        self.samples.iter().map(|sample| format!("{} {:?}", sample.name, sample.labels)).collect()
    }

    /// The samples of that name that carry at least these labels.
    pub fn of(&self, name: &str, labels: &[(&str, &str)]) -> Vec<&Sample> {
        let carries = |sample: &Sample| {
            labels.iter().all(|&(label, value)| {
                sample.labels.get(label).is_some_and(|carried| carried == value)
            })
        };
        self.samples.iter().filter(|one| one.name == name && carries(one)).collect()
    }

    /// The sum of those samples, of which there must be one.
    #[track_caller]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let found = self.of(name, labels);
        assert!(!found.is_empty(), "no {name} {labels:?}");
        found.iter().map(|sample| sample.value).sum()
    }

    /// The same, where there may be none yet.
    pub fn sum_or_zero(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        if self.of(name, labels).is_empty() { 0.0 } else { self.sum(name, labels) }
    }
}

impl Sample {
    fn parse(line: &str) -> Self {
        let (series, value) = line.rsplit_once(' ').expect("a value");
        let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
        let (name, labels) = match series.split_once('{') {
            Some((name, labels)) => (name, labels.strip_suffix('}').expect("labels end")),
            None => (series, ""),
        };
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_:".contains(&byte);
        assert!(!name.is_empty() && name.bytes().all(is_name), "no name: {line}");
        let mut read = BTreeMap::new();
        let mut rest = labels;
        while !rest.is_empty() {
            let (label, after) = rest.split_once("=\"").expect("a quoted value");
            let (value, after) = after.split_once('"').expect("the quote ends");
            assert!(!value.contains('\\'), "no label here needs an escape: {line}");
            read.insert(label.to_owned(), value.to_owned());
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        Self { name: name.to_owned(), labels: read, value }
    }
}
