use super::*;

/// A table as Go 1.18 writes it, of two functions: `main.update` with `sql.Begin` inlined into it, and
/// `main.main`.
struct Built {
    table: Vec<u8>,
    trees: Vec<u8>,
}

fn put(octets: &mut [u8], at: usize, value: u32) {
    octets[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// Differences of a value and of an instruction, as numbers of seven bits.
fn steps(values: &[(i32, u8)]) -> Vec<u8> {
    let (mut out, mut last) = (Vec::new(), -1);
    for (value, len) in values {
        let change = value - last;
        out.push(if change < 0 { (!change as u8) << 1 | 1 } else { (change as u8) << 1 });
        out.push(*len);
        last = *value;
    }
    out.push(0);
    out
}

fn built(is_1_20: bool) -> Built {
    let names = b"\0main.update\0database/sql.(*DB).Begin\0main.main\0";
    let name = |text: &str| {
        let at = names.windows(text.len()).position(|part| part == text.as_bytes());
        at.expect("a name") as u32
    };
    let files = b"/go/sql.go\0/src/controller.go\0";
    // Of the only unit: sql.go, controller.go.
    let units = [0_u32, 11].map(u32::to_le_bytes).concat();
    let mut values = vec![0];
    let mut table_of = |steps: Vec<u8>| {
        let at = values.len() as u32;
        values.extend(steps);
        at
    };
    // update: 0..16 of its own in line 20, 16..32 of Begin, inlined in line 22.
    let file = table_of(steps(&[(1, 16), (0, 16)]));
    let line = table_of(steps(&[(22, 16), (70, 16)]));
    let index = table_of(steps(&[(-1, 16), (0, 16)]));
    let main_file = table_of(steps(&[(1, 32)]));
    let main_line = table_of(steps(&[(40, 32)]));

    let head = if is_1_20 { 44 } else { 40 };
    let record = |entry, name, file, line, has_tree: bool| {
        let tables = if has_tree { 3 } else { 0 };
        let trees = if has_tree { 4 } else { 0 };
        let mut out = vec![0; head + 4 * (tables + trees)];
        for (at, value) in [(0, entry), (4, name), (20, file), (24, line), (28, tables as u32)] {
            put(&mut out, at, value);
        }
        out[head - 1] = trees as u8;
        if has_tree {
            put(&mut out, head + 8, index);
            (0..3).for_each(|n| put(&mut out, head + 12 + 4 * n, NONE));
            put(&mut out, head + 24, 8);
        }
        out
    };
    let update = record(0, name("main.update"), file, line, true);
    let main = record(32, name("main.main"), main_file, main_line, false);

    let (first, second) = (20, 20 + update.len() as u32);
    let index = [0, first, 32, second, 64];
    let functions = [&index.map(u32::to_le_bytes).concat()[..], &update, &main].concat();
    let parts: [&[u8]; 5] = [names, &units, files, &values, &functions];
    let magic: u32 = if is_1_20 { 0xffff_fff1 } else { 0xffff_fff0 };
    let mut table = [&magic.to_le_bytes()[..], &[0, 0, 1, 8]].concat();
    let mut at = 72;
    let mut words = vec![2_u64, 2, 0x40_1000];
    for part in parts {
        words.push(at);
        at += part.len() as u64;
    }
    words.iter().for_each(|word| table.extend(word.to_le_bytes()));
    parts.iter().for_each(|part| table.extend(*part));

    let mut trees = vec![0; 8 + 20];
    let (at_name, at_parent) = if is_1_20 { (4, 8) } else { (12, 16) };
    put(&mut trees, 8 + at_name, name("database/sql.(*DB).Begin"));
    put(&mut trees, 8 + at_parent, 15);
    Built { table, trees }
}

fn call(function: &str, file: &str, line: u32) -> Call {
    Call { function: function.into(), file: Some(file.into()), line: Some(line) }
}

#[test]
fn functions_lines_and_inlined_calls_are_found() {
    for is_1_20 in [false, true] {
        let built = built(is_1_20);
        let table = LineTable::new(&built.table[..]).expect("a table");
        let trees = Some(&&built.trees[..]);
        let update = call("main.update", "/src/controller.go", 22);
        assert_eq!(table.calls(3, trees), std::slice::from_ref(&update));
        let begin = call("database/sql.(*DB).Begin", "/go/sql.go", 70);
        assert_eq!(table.calls(20, trees), [begin, update]);
        assert_eq!(table.calls(40, trees), [call("main.main", "/src/controller.go", 40)]);
        for outside in [64, 1 << 40, u64::MAX] {
            assert_eq!(table.calls(outside, trees), [], "{outside}");
        }
    }
}

/// The line would be that of the inlined function, under the name of the other.
#[test]
fn without_the_trees_no_line_is_said() {
    let built = built(false);
    let table = LineTable::new(&built.table[..]).expect("a table");
    let update = Call { function: "main.update".into(), file: None, line: None };
    assert_eq!(table.calls(20, None::<&&[u8]>), [update]);
}

/// Any octet may be anything: no panic, no endless loop, and no name that is in no table.
#[test]
fn damaged_tables_end() {
    for is_1_20 in [false, true] {
        let whole = built(is_1_20);
        for at in 0..whole.table.len() {
            for value in [0, 1, 0x7f, 0x80, 0xff] {
                let mut table = whole.table.clone();
                table[at] = value;
                if let Some(table) = LineTable::new(&table[..]) {
                    for place in [0, 3, 20, 40, 63] {
                        assert!(table.calls(place, Some(&&whole.trees[..])).len() <= DEPTH);
                    }
                }
            }
        }
        for cut in 0..whole.table.len() {
            if let Some(table) = LineTable::new(&whole.table[..cut]) {
                table.calls(20, Some(&&whole.trees[..]));
            }
        }
    }
}
