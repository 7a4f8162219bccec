//! Frontends written by hand, for what no compiler would make: a core module in text form, with the world of a writer around
//! it. As it stands it describes itself and answers `good`; an attack replaces a piece.

use std::sync::OnceLock;

use portolan_tests::contract::Contract;

/// Where things lie in memory.
const INFO: usize = 256;
const ANSWER: usize = 512;
const NAME: usize = 1_024;
const VERSION: usize = 1_032;
const GOOD: usize = 1_040;

/// The pieces of the module.
pub struct Raw {
    /// Imports, which come first.
    pub imports: String,
    /// The body of `solve`; `$at` and `$count` are its request's arguments.
    pub solve: String,
    pub describe: String,
    /// The body of `cabi_realloc` (`$old $had $align $wanted`).
    pub realloc: String,
    /// Whatever else: other memories, functions, a start.
    pub rest: String,
    /// Pages of memory at the beginning.
    pub pages: u32,
    pub info: Record,
    pub answer: Record,
}

/// A record as it lies in memory, by words.
pub struct Record(Vec<u8>);

impl Record {
    fn new(size: usize, words: &[(usize, u32)]) -> Self {
        let mut record = Record(vec![0; size]);
        words.iter().for_each(|&(offset, word)| record.set(offset, word));
        record
    }

    pub fn set(&mut self, offset: usize, word: u32) {
        self.0[offset..offset + 4].copy_from_slice(&word.to_le_bytes());
    }
}

/// Offsets in an info: of the pointers, each with a length behind it.
pub mod info {
    pub const NAME: usize = 0;
    pub const SUMMARY: usize = 16;
    pub const PARAMETERS: usize = 24;
    pub const FORMATS: usize = 32;
}

/// The same in what `solve` returns.
pub mod answer {
    pub const WHICH: usize = 0;
    pub const MEDIA_TYPE: usize = 12;
    pub const BODY: usize = 24;
    pub const TEXT: usize = 32;
    pub const METADATA: usize = 64;
    /// Of a failure.
    pub const HINT: usize = 16;
    pub const CAUSE: usize = 28;
}

impl Default for Raw {
    fn default() -> Self {
        let info = [(0, NAME as u32), (4, 3), (8, VERSION as u32), (12, 1)];
        let answer = [(12, GOOD as u32), (16, 4), (32, GOOD as u32), (36, 4)];
        Raw {
            imports: String::new(),
            solve: format!("i32.const {ANSWER}"),
            describe: format!("i32.const {INFO}"),
            realloc: REALLOC.to_owned(),
            rest: String::new(),
            pages: 4,
            info: Record::new(40, &info),
            answer: Record::new(72, &answer),
        }
    }
}

/// Gives what was never given before.
pub const REALLOC: &str = "
    (local.set $old (i32.and (i32.add (global.get $free) (i32.sub (local.get $align) (i32.const 1)))
                             (i32.sub (i32.const 0) (local.get $align))))
    (global.set $free (i32.add (local.get $old) (local.get $wanted)))
    (block $enough (loop $more
        (br_if $enough (i32.le_u (global.get $free) (i32.mul (memory.size) (i32.const 65536))))
        (br_if $enough (i32.eq (memory.grow (i32.const 16)) (i32.const -1)))
        (br $more)))
    (local.get $old)";

impl Raw {
    /// The component.
    pub fn build(change: impl FnOnce(&mut Raw)) -> Vec<u8> {
        let mut raw = Raw::default();
        change(&mut raw);
        let Raw { imports, solve, describe, realloc, rest, pages, info, answer } = raw;
        let (info, answer) = (quoted(&info.0), quoted(&answer.0));
        let module = format!(
            r#"(module {imports}
                (memory (export "memory") {pages})
                (global $free (mut i32) (i32.const 131072))
                (data (i32.const {INFO}) "{info}")
                (data (i32.const {ANSWER}) "{answer}")
                (data (i32.const {NAME}) "raw") (data (i32.const {VERSION}) "1") (data (i32.const {GOOD}) "good")
                (func $realloc (export "cabi_realloc")
                    (param $old i32) (param $had i32) (param $align i32) (param $wanted i32) (result i32) {realloc})
                (func (export "portolan:oci/frontend@0.1.0#describe") (result i32) {describe})
                (func $solve (export "portolan:oci/frontend@0.1.0#solve") (param $at i32) (param $count i32) (result i32)
                    {solve})
                {rest})"#
        );
        let module = wat::parse_str(&module).unwrap_or_else(|error| panic!("{error}\n{module}"));
        contract().around("writer", module)
    }

    /// One that answers as ever but for these words.
    pub fn answering(words: &[(usize, u32)]) -> Vec<u8> {
        Raw::build(|raw| words.iter().for_each(|&(offset, word)| raw.answer.set(offset, word)))
    }

    /// One that describes itself as ever but for these words, with `data` at 2048.
    pub fn described(words: &[(usize, u32)], data: &[u8]) -> Vec<u8> {
        Raw::build(|raw| {
            words.iter().for_each(|&(offset, word)| raw.info.set(offset, word));
            raw.pages = 4 + u32::try_from(data.len() / 65_536).unwrap();
            raw.rest = format!(r#"(data (i32.const 2048) "{}")"#, quoted(data));
        })
    }
}

fn contract() -> &'static Contract {
    static CONTRACT: OnceLock<Contract> = OnceLock::new();
    CONTRACT.get_or_init(Contract::current)
}

/// The pieces of a strategy.
pub struct Judge {
    pub imports: String,
    /// The body of both of its functions.
    pub judge: String,
    pub realloc: String,
    pub rest: String,
    pub answer: Record,
}

/// Offsets in what a strategy returns.
pub mod judgement {
    pub const WHICH: usize = 0;
    /// Of the positions, or of a failure's message; a length is behind it.
    pub const LIST: usize = 4;
    pub const HINT: usize = 12;
    pub const CAUSE: usize = 24;
}

impl Judge {
    /// A strategy that takes none, but for what is changed.
    pub fn build(change: impl FnOnce(&mut Judge)) -> Vec<u8> {
        let mut judge = Judge {
            imports: String::new(),
            judge: format!("i32.const {ANSWER}"),
            realloc: REALLOC.to_owned(),
            rest: String::new(),
            answer: Record::new(52, &[]),
        };
        change(&mut judge);
        let Judge { imports, judge, realloc, rest, answer } = judge;
        let answer = quoted(&answer.0);
        let functions: String = ["match-name", "select"]
            .map(|name| {
                format!(
                    r#"(func (export "portolan:oci/strategy@0.1.0#{name}") (param i32 i32 i32 i32 i32 i32) (result i32) {judge})"#
                )
            })
            .concat();
        let module = format!(
            r#"(module {imports}
                (memory (export "memory") 4)
                (global $free (mut i32) (i32.const 131072))
                (data (i32.const {ANSWER}) "{answer}")
                (func $realloc (export "cabi_realloc")
                    (param $old i32) (param $had i32) (param $align i32) (param $wanted i32) (result i32) {realloc})
                {functions} {rest})"#
        );
        let module = wat::parse_str(&module).unwrap_or_else(|error| panic!("{error}\n{module}"));
        contract().around("judgement", module)
    }

    /// One that returns these words.
    pub fn returning(words: &[(usize, u32)]) -> Vec<u8> {
        Judge::build(|judge| words.iter().for_each(|&(offset, word)| judge.answer.set(offset, word)))
    }
}

/// A frontend that asks its strategy both questions, about nothing, and says `good` whatever it is told.
pub fn asking() -> &'static [u8] {
    static ASKING: OnceLock<Vec<u8>> = OnceLock::new();
    ASKING.get_or_init(|| {
        Raw::build(|raw| {
            for (name, function) in [("match-name", "$match"), ("select", "$select")] {
                raw.imports.push_str(&format!(
                    r#"(import "portolan:oci/strategy@0.1.0" "{name}" (func {function} (param i32 i32 i32 i32 i32 i32 i32)))"#
                ));
                raw.solve.insert_str(
                    0,
                    &format!(
                        "(call {function} (i32.const {GOOD}) (i32.const 4) (i32.const {GOOD}) (i32.const 4) (i32.const {GOOD}) \
                         (i32.const 4) (i32.const 2048)) "
                    ),
                );
            }
        })
    })
}

/// Bytes as a text module spells them.
pub fn quoted(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}
