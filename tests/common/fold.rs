//! Lines as others fold them.

/// Folded as mail programs do it, at blanks.
pub fn folded(list: &str, width: usize) -> String {
    let mut folded = String::new();
    for mut line in list.lines() {
        while line.len() > width {
            let at = line[..=width].rfind(' ').filter(|at| *at > 0).unwrap_or(width);
            folded += &format!("{}\n", line[..at].trim_end());
            line = line[at..].trim_start();
        }
        folded += &format!("{line}\n");
    }
    folded
}
