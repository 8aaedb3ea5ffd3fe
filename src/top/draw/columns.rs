//! Columns as wide as what is seen of them; those that matter least are left out where there is no room.

use unicode_width::UnicodeWidthStr;

use super::pen::cut;

/// A column: its head, how much it matters (the least first to go), and whether numbers stand in it.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub head: &'static str,
    pub rank: u8,
    pub is_number: bool,
}

/// Columns between two.
const GAP: usize = 2;

/// Narrower than this, the last column is left out rather than cut.
const LEAST: usize = 8;

/// Lays rows out in so many columns of the terminal. Returns the head, and a line for each row.
pub fn laid_out(columns: &[Column], rows: &[Vec<String>], room: usize) -> (String, Vec<String>) {
    let widest = |at: usize| {
        rows.iter().map(|row| row[at].width()).max().unwrap_or(0).max(columns[at].head.width())
    };
    let is_empty = |at: usize| !rows.is_empty() && rows.iter().all(|row| row[at].is_empty());
    let mut by_rank: Vec<usize> = (0..columns.len()).filter(|at| !is_empty(*at)).collect();
    by_rank.sort_by_key(|at| std::cmp::Reverse(columns[*at].rank));
    let mut widths = vec![0; columns.len()];
    let mut left = room;
    for at in by_rank {
        let width = widest(at).min(left);
        // Those that matter most are cut, if it must be; of the others a beginning says little.
        let is_cut = width < widest(at);
        if left == 0 || is_cut && width < LEAST {
            break;
        }
        widths[at] = width;
        left = left.saturating_sub(width + GAP);
    }
    let line = |cells: &[&str]| {
        let mut line = String::new();
        for (at, cell) in cells.iter().enumerate().filter(|(at, _)| widths[*at] > 0) {
            let cell = cut(cell, widths[at]);
            let pad = " ".repeat(widths[at] - cell.width());
            let parts = if columns[at].is_number { [&pad, &cell] } else { [&cell, &pad] };
            line.extend(parts.map(String::as_str));
            line.push_str("  ");
        }
        line.trim_end().to_owned()
    };
    let heads: Vec<&str> = columns.iter().map(|column| column.head).collect();
    let lines = rows.iter().map(|row| line(&row.iter().map(String::as_str).collect::<Vec<_>>()));
    (line(&heads), lines.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [
        Column { head: "n", rank: 9, is_number: true },
        Column { head: "why", rank: 1, is_number: false },
        Column { head: "peer", rank: 5, is_number: false },
    ];

    fn rows() -> Vec<Vec<String>> {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        vec![row(["1", "transaction-open", "10.0.0.3:3306"]), row(["20", "", "[::1]:80"])]
    }

    #[test]
    fn what_matters_least_is_left_out_first() {
        let (head, lines) = laid_out(&COLUMNS, &rows(), 80);
        assert_eq!(head, " n  why               peer");
        assert_eq!(lines[0], " 1  transaction-open  10.0.0.3:3306");
        let (head, lines) = laid_out(&COLUMNS, &rows(), 30);
        assert_eq!(
            (head.as_str(), lines[1].as_str()),
            (" n  why          peer", "20               [::1]:80")
        );
        assert_eq!(lines[0], " 1  transactio…  10.0.0.3:3306");
        let (head, lines) = laid_out(&COLUMNS, &rows(), 20);
        assert_eq!((head.as_str(), lines[0].as_str()), (" n  peer", " 1  10.0.0.3:3306"));
    }

    #[test]
    fn columns_without_anything_take_no_room() {
        let empty = vec![vec!["1".to_owned(), String::new(), String::new()]];
        assert_eq!(laid_out(&COLUMNS, &empty, 80), ("n".into(), vec!["1".into()]));
        assert_eq!(laid_out(&COLUMNS, &[], 80).0, "n  why  peer");
    }
}
