//! From each format to each other and back, and small files as they are.

use proptest::prelude::*;
use serde_json::json;

use super::{Format, Reading, WriteError, detect, loses, parse, parse_with, write};
use crate::history::{Builder, PairRules, Process, Stamps, arbitrary};
use crate::{History, NEVER, Op, OpType, Outcome};

fn text(format: Format, history: &History) -> Result<String, WriteError> {
    let mut bytes = Vec::new();
    write(format, history, &mut bytes).map(|()| String::from_utf8(bytes).unwrap())
}

fn lines(history: &History) -> Vec<Op> {
    history.events().map(|(event, what)| what.to_op(history, event)).collect()
}

fn read(format: Format, text: &str) -> History {
    parse(format, "x", text.as_bytes()).unwrap_or_else(|e| panic!("{e} in\n{text}"))
}

/// What a history says beyond its lines.
fn facts(history: &History) -> (Vec<Outcome>, bool, bool, Stamps) {
    let outcomes = history.ids().map(|id| history.call(id).outcome()).collect();
    (outcomes, history.timed, history.explicit_cas, history.stamps)
}

/// Makes an arbitrary history one that a format holds, mostly.
fn fit(ops: Vec<Op>, format: Format) -> Vec<Op> {
    let mut open: Vec<Op> = Vec::new();
    let clients = ops.into_iter().filter(|op| op.process != Process::Nemesis);
    (0..)
        .zip(clients)
        .map(|(at, mut op)| {
            op.index = at;
            if op.process == Process::Client(-1) {
                op.process = Process::Client(9);
            }
            fit_line(&mut op, format);
            match open.iter().position(|call| call.process == op.process) {
                None => open.push(op.clone()),
                Some(place) => {
                    let call = open.swap_remove(place);
                    (op.f, op.key) = (call.f, call.key);
                    fit_value(&mut op, format);
                }
            }
            op
        })
        .collect()
}

fn fit_line(op: &mut Op, format: Format) {
    match format {
        Format::Elle => {
            op.f = match op.f.as_str() {
                "cas" | "txn" => "txn".into(),
                "read" => "read".into(),
                _ => "append".into(),
            };
            op.key = Some(op.key.clone().unwrap_or_else(|| "7".into()));
        }
        Format::Tsv | Format::JepsenLog => {
            if !matches!(op.f.as_str(), "read" | "cas" | "write" | "append") {
                op.f = "inc".into();
            }
            (op.node, op.zxid, op.final_read, op.error) = (None, None, false, None);
            op.time = op.index * 3 + op.time % 3;
            op.key = if format == Format::Tsv { op.key.take().filter(|key| !key.is_empty()) } else { None };
            fit_value(op, format);
        }
        Format::Jsonl | Format::Columns | Format::Edn => {}
    }
}

fn fit_value(op: &mut Op, format: Format) {
    if matches!(format, Format::Tsv | Format::JepsenLog) {
        let small = json!(op.value.as_i64().unwrap_or(3).rem_euclid(5));
        op.value = match (op.f.as_str(), op.op_type) {
            ("cas", _) => json!([small, 7]),
            // Appends make reads lists.
            ("read", OpType::Ok) if format == Format::Tsv => json!([small]),
            _ => small,
        };
    }
}

fn history(ops: Vec<Op>, rules: PairRules) -> History {
    let mut builder = Builder::new(rules);
    ops.into_iter().for_each(|op| builder.op(op).unwrap());
    builder.finish()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn our_jsonl_is_what_serde_writes(ops in arbitrary::ops()) {
        let expected: String = ops.iter().map(|op| serde_json::to_string(op).unwrap() + "\n").collect();
        let history = History::from_ops(ops).unwrap();
        prop_assert_eq!(loses(Format::Jsonl, &history), Vec::<String>::new());
        let written = text(Format::Jsonl, &history).unwrap();
        prop_assert_eq!(&written, &expected);
        prop_assert_eq!(text(Format::Jsonl, &read(Format::Jsonl, &written)).unwrap(), expected);
    }

    #[test]
    fn edn_loses_nothing(ops in arbitrary::ops(), flags in any::<[bool; 4]>()) {
        let [failed_cas_is_mismatch, explicit_cas, timed, modified] = flags;
        let mut history = history(ops, PairRules { failed_cas_is_mismatch });
        (history.explicit_cas, history.timed) = (explicit_cas, timed);
        if modified {
            history.stamps = Stamps::LastModified;
        }
        let written = text(Format::Edn, &history).unwrap();
        let back = read(Format::Edn, &written);
        let untimed = |op: Op| Op { time: if timed { op.time } else { 0 }, ..op };
        let expected: Vec<Op> = lines(&history).into_iter().map(untimed).collect();
        prop_assert_eq!(lines(&back), expected, "{}", written);
        prop_assert_eq!(facts(&back), facts(&history));
        prop_assert_eq!(text(Format::Edn, &back).unwrap(), written);
    }

    #[test]
    fn what_elle_holds_comes_back(ops in arbitrary::ops()) {
        let ops = fit(ops, Format::Elle);
        let history = History::from_ops(ops).unwrap();
        let written = text(Format::Elle, &history).unwrap();
        let back = read(Format::Elle, &written);
        if loses(Format::Elle, &history).is_empty() {
            prop_assert_eq!(lines(&back), lines(&history), "{}", written);
        }
    }

    #[test]
    fn what_tsv_holds_comes_back(ops in arbitrary::ops()) {
        let mut history = history(fit(ops, Format::Tsv), PairRules { failed_cas_is_mismatch: true });
        (history.timed, history.explicit_cas, history.stamps) = (true, true, Stamps::LastModified);
        match text(Format::Tsv, &history) {
            Ok(written) => {
                let back = read(Format::Tsv, &written);
                prop_assert_eq!(loses(Format::Tsv, &history), Vec::<String>::new());
                prop_assert_eq!(lines(&back), lines(&history), "{}", written);
                prop_assert_eq!(facts(&back), facts(&history));
            }
            Err(e) => prop_assert!(e.to_string().contains(" at index "), "{}", e),
        }
    }

    #[test]
    fn what_a_log_holds_comes_back(ops in arbitrary::ops()) {
        let mut history = history(fit(ops, Format::JepsenLog), PairRules { failed_cas_is_mismatch: true });
        history.explicit_cas = true;
        let written = text(Format::JepsenLog, &history).unwrap();
        let back = read(Format::JepsenLog, &written);
        let untimed: Vec<Op> = lines(&history).into_iter().map(|op| Op { time: 0, ..op }).collect();
        prop_assert_eq!(loses(Format::JepsenLog, &history), Vec::<String>::new());
        prop_assert_eq!(lines(&back), untimed);
        prop_assert_eq!(facts(&back), facts(&history));
    }

    #[test]
    fn no_text_makes_a_reader_panic(pieces in prop::collection::vec(prop_oneof![
        prop::sample::select(vec![
            "{", "}", "[", "]", "#{", "(", ")", "\"", "\\", "#_", "#a", ":type", ":invoke", ":ok", ":process", "0",
            ":f", ":txn", ":r", ":append", ":cas", ":value", " ", "\n", "\t", "nil", "-1", "1/2", ",", ";",
            "INFO  jepsen.util - 0\t:invoke\t:read\t", "0\tk\tread\t\t\t1\t2\tok\t\t0\n", "{:process 0, :type :invoke, :f :read}",
        ]).prop_map(str::to_owned),
        any::<String>(),
    ], 0..20)) {
        let text: String = pieces.concat();
        for format in Format::ALL {
            let _read = parse(format, "x", text.as_bytes());
        }
        let _format = detect("x", text.as_bytes());
    }
}

#[test]
fn words_of_formats() {
    for format in Format::ALL {
        assert_eq!(format.word().parse::<Format>().unwrap(), format);
        assert_eq!(serde_json::to_value(format).unwrap(), json!(format.word()));
    }
    let error = "xml".parse::<Format>().unwrap_err();
    assert_eq!(error, "\"xml\" is no format of histories (jsonl, columns, jepsen-log, edn, elle, tsv)");
}

const JSONL: &str = r#"{"index":0,"time":10,"process":0,"type":"invoke","f":"write","key":"a b","value":1,"node":"n1"}
{"index":1,"time":20,"process":1,"type":"invoke","f":"cas","key":"k","value":[null,2],"node":"n2"}
{"index":2,"time":25,"process":"nemesis","type":"info","f":"kill","value":{"targets":["n1"]}}
{"index":3,"time":30,"process":0,"type":"ok","f":"write","key":"a b","value":1,"node":"n1","zxid":"0x100000001"}
{"index":4,"time":40,"process":1,"type":"fail","f":"cas","key":"k","value":[1,2],"error":":timeout","node":"n2"}
{"index":5,"time":50,"process":0,"type":"invoke","f":"read","key":"k","value":null,"node":"n1","final":true}
"#;

#[test]
fn a_history_in_every_format() {
    let history = read(Format::Jsonl, JSONL);
    let edn = text(Format::Edn, &history).unwrap();
    assert_eq!(
        edn,
        r#"; checker history: timed=true explicit-cas=false stamps=reached
{:index 0, :time 10, :process 0, :type :invoke, :f :write, :key "a b", :value 1, :node "n1"}
{:index 1, :time 20, :process 1, :type :invoke, :f :cas, :key "k", :value [nil 2], :node "n2"}
{:index 2, :time 25, :process :nemesis, :type :info, :f :kill, :value {:targets ["n1"]}}
{:index 3, :time 30, :process 0, :type :ok, :f :write, :key "a b", :value 1, :node "n1", :zxid "0x100000001"}
{:index 4, :time 40, :process 1, :type :fail, :f :cas, :key "k", :value [1 2], :error :timeout, :node "n2"}
{:index 5, :time 50, :process 0, :type :invoke, :f :read, :key "k", :value nil, :node "n1", :final true}
"#
    );
    assert_eq!(text(Format::Jsonl, &read(Format::Edn, &edn)).unwrap(), JSONL);
    let mut columns = Vec::new();
    write(Format::Columns, &history, &mut columns).unwrap();
    assert_eq!(detect("x", &columns).unwrap(), Format::Columns);
    assert_eq!(text(Format::Jsonl, &parse(Format::Columns, "x", &columns).unwrap()).unwrap(), JSONL);
    assert_eq!(
        text(Format::Tsv, &history).unwrap(),
        "# model=casreg\n\
        0\ta b\twrite\t1\t\t10\t30\tok\t\t-\n0\tk\tread\t\t\t50\t-\tinfo\t\t-\n"
    );
    assert_eq!(
        loses(Format::Tsv, &history),
        [
            "failed cas, acq and rel that say nothing (they would be observations)",
            "zxids (of what the server had reached)",
            "nodes",
            "errors",
            "that a cas may have learnt on the way what it would replace",
            "lines of the nemesis",
            "which reads were final"
        ]
    );
    let refused = |format| text(format, &history).unwrap_err().to_string();
    assert!(refused(Format::JepsenLog).contains("this is of several (keys \"a b\" and \"k\")"));
    assert!(refused(Format::Elle).ends_with("and index 1 is a \"cas\""), "{}", refused(Format::Elle));
}

#[test]
fn transactions_of_one_operation_are_that_operation() {
    let elle = "{:type :invoke, :process 0, :f :txn, :value [[:append 3 1]]}\n\
                {:type :invoke, :process 1, :f :txn, :value [[:r :x nil]]}\n\
                {:type :invoke, :process 2, :f :txn, :value [[:append 3 2] [:r 4 nil]]}\n\
                {:type :ok, :process 1, :f :txn, :value [[:r :x [1 2]]]}\n\
                {:type :info, :process 0, :f :txn, :value nil, :error :timeout}\n\
                {:type :ok, :process 2, :f :txn, :value [[:append 3 2] [:r 4 [7]]]}\n";
    assert_eq!(detect("x", elle.as_bytes()).unwrap(), Format::Elle);
    let history = read(Format::Elle, elle);
    let brief: Vec<_> =
        history.calls().map(|c| (c.f(), c.key(), c.input_json(), c.output_json(), c.outcome())).collect();
    assert_eq!(
        brief,
        [
            ("append", Some("3"), json!(1), None, Outcome::Info),
            ("read", Some(":x"), json!(null), Some(json!([1, 2])), Outcome::Ok),
            (
                "txn",
                None,
                json!([[":append", 3, 2], [":r", 4, null]]),
                Some(json!([[":append", 3, 2], [":r", 4, [7]]])),
                Outcome::Ok
            ),
        ]
    );
    let jsonl = text(Format::Jsonl, &history).unwrap();
    let back = text(Format::Elle, &read(Format::Jsonl, &jsonl)).unwrap();
    assert_eq!(lines(&read(Format::Elle, &back)), lines(&history), "{back}");
    assert!(back.contains(":f :txn, :value [[:append 3 1]]}\n"), "{back}");
}

#[test]
fn edn_as_jepsen_and_knossos_write_it() {
    let maps = |text| {
        let history = read(Format::Edn, text);
        lines(&history).into_iter().map(|op| (op.process, op.f, op.key, op.value)).collect::<Vec<_>>()
    };
    let in_vector = "; knossos\n[{:process 0, :type :invoke,\n  :f :cas, :value [1 2]}\n {:process :nemesis, :type :info, :f :start}\n \
                     {:process 0, :type :fail, :f :cas, :value :timed-out}]";
    let history = read(Format::Edn, in_vector);
    assert_eq!((history.len(), history.call(0).outcome(), history.call(0).ret()), (1, Outcome::Info, NEVER));
    assert!(history.explicit_cas && !history.timed);
    let records = "#jepsen.history.Op{:index 5, :time 9, :type :invoke, :process 0, :f :read, \
                   :value #jepsen.independent/tuple [7 nil], :extra {:a #{1}}}\n\
                   #_{:process 0} #jepsen.history.Op{:index 6, :type :ok, :process 0, :f :read, :value #jepsen.independent/tuple [7 3]}";
    let client = Process::Client(0);
    let read_7 = |value| (client, "read".to_owned(), Some("7".to_owned()), value);
    assert_eq!(maps(records), [read_7(json!(null)), read_7(json!(3))]);
    assert_eq!(read(Format::Edn, records).call(0).index_invoke(), 5);
    let untagged = "({:value [:x [1 2]], :process 0, :type :invoke, :f :cas} {:process 0, :type :ok, :f :cas, :value nil})";
    assert_eq!(maps(untagged)[0].3, json!([":x", [1, 2]]));
    let asked = parse_with(Format::Edn, "x", untagged.as_bytes(), Reading { independent: true }).unwrap();
    let call = asked.call(0);
    assert_eq!((call.key(), call.input_json()), (Some(":x"), json!([1, 2])));
    assert!(asked.values.as_pair(call.input()).is_some());
}

#[test]
fn errors_of_edn_name_the_line() {
    let error = |text: &str| parse(Format::Edn, "h.edn", text.as_bytes()).unwrap_err().to_string();
    let good = "{:process 0, :type :invoke, :f :read}\n";
    assert!(
        error(&format!("{good}{{:process 0, :type :maybe}}"))
            .starts_with("h.edn line 2: expected :type :invoke")
    );
    assert_eq!(
        error(&format!("{good}{{:process 1,\n :type :ok, :f :read}}")),
        "h.edn line 2: process 1 completes \"read\" (ok) without having invoked it"
    );
    assert!(error("{:process 0, :type").starts_with("h.edn line 1: the file ends before"));
    assert!(
        error("{:process #{}}")
            .contains("expected :process to be an integer or a keyword, found a map or set")
    );
    assert!(error("\n{:process 0, :type :ok}").starts_with("h.edn line 2: the operation has no :f"));
    assert!(error("{:process 0, :f :read}").ends_with("has no :type"));
    assert!(error("\n\nread").starts_with("h.edn line 3: expected an operation, a map such as"));
    assert!(error("[[[[").contains("expected an operation"));
    let deep = format!("{{:value {}}}", "[".repeat(100));
    assert!(error(&deep).contains("nested too deeply"));
    assert!(
        error("{:index 4, :process 0, :type :invoke, :f :a} {:index 4, :process 1, :type :invoke, :f :a}")
            .contains(":index 4 after :index 4")
    );
    let bytes = parse(Format::Edn, "h.edn", b"\n\xff").unwrap_err().to_string();
    assert_eq!(bytes, "h.edn line 2: expected text, found bytes that are no UTF-8");
}

#[test]
fn what_jsonl_loses_is_said() {
    let tsv = "0\tk\tcas\tnil\t2\t1\t2\tfail\t\t9\n1\tk\tread\t\t\t3\t4\tok\t1\t9\n";
    let history = read(Format::Tsv, tsv);
    assert_eq!(
        loses(Format::Jsonl, &history),
        [
            "that calls failed because of the state they found (they say nothing any more)",
            "that a cas of null expects the initial value",
            "stamps of the last modification"
        ]
    );
    assert!(
        !text(Format::Jsonl, &history).unwrap().contains("zxid"),
        "a stamp of another kind would be a lie"
    );
    for format in [Format::Edn, Format::Columns] {
        let mut bytes = Vec::new();
        write(format, &history, &mut bytes).unwrap();
        let back = parse(format, "x", &bytes).unwrap();
        assert_eq!(text(Format::Tsv, &back).unwrap(), format!("# model=casreg\n{}", tsv.replace("nil", "")));
    }
}
