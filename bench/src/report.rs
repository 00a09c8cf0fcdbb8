//! Samples to figures: minimum, median and maximum over the rounds, as JSON lines or as a table.

use crate::Workload;
use crate::contest::Series;
use crate::measure::{Sample, Unit};
use std::time::Duration;

/// A comparison of times.
pub struct Ratio {
    /// Its name, as in the report.
    pub metric: &'static str,
    /// Which time is compared.
    pub of: fn(&Sample) -> Duration,
    /// Whether the first series is what the second one is compared with.
    pub is_floor: fn(&Series, &Series) -> bool,
}

/// One line of the report.
#[derive(Debug)]
struct Line<'a> {
    series: &'a Series,
    metric: &'static str,
    spread: Spread,
}

/// What a figure was over the rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spread {
    min: f64,
    median: f64,
    max: f64,
    rounds: usize,
}

/// Prints every figure of `series`, then the ratios to the floor, corio's last; and beside them, who
/// did not run.
pub fn print(workload: &Workload, series: &[Series], json: bool) {
    let mut lines: Vec<Line<'_>> =
        series.iter().flat_map(|one| figures(one, workload.unit)).collect();
    let mut ratios: Vec<Line<'_>> =
        series.iter().filter_map(|one| ratio(&workload.ratio, one, series)).collect();
    ratios.sort_by_key(|line| line.series.system == "corio");
    lines.extend(ratios);
    if json {
        lines.iter().for_each(|line| println!("{}", line.json(workload.name)));
    } else {
        table(&lines);
    }
    for Series { setting, system, failure, .. } in series {
        if let Some(failure) = failure {
            eprintln!("{setting}, {system}: did not run: {failure}");
        }
    }
}

/// The figures of one series, each over its rounds.
fn figures(series: &Series, unit: Unit) -> impl Iterator<Item = Line<'_>> {
    let mut metrics: Vec<(&'static str, Vec<f64>)> = Vec::new();
    for sample in &series.samples {
        for (metric, value) in sample.figures(series.operations, unit) {
            match metrics.iter_mut().find(|(name, _)| *name == metric) {
                Some((_, values)) => values.push(value),
                None => metrics.push((metric, vec![value])),
            }
        }
    }
    metrics.into_iter().map(|(metric, values)| Line { series, metric, spread: spread(values) })
}

/// The time of `series` in parts of the floor's, each round by itself; `None` for the floor itself
/// and where it did not run.
fn ratio<'a>(to: &Ratio, series: &'a Series, all: &[Series]) -> Option<Line<'a>> {
    let floor = all.iter().find(|one| (to.is_floor)(one, series))?;
    if std::ptr::eq(floor, series) || series.samples.is_empty() || floor.samples.is_empty() {
        return None;
    }
    let rounds = series.samples.iter().zip(&floor.samples);
    let seconds = |sample| (to.of)(sample).as_secs_f64();
    let values = rounds.map(|(ours, floors)| seconds(ours) / seconds(floors));
    Some(Line { series, metric: to.metric, spread: spread(values.collect()) })
}

/// Minimum, median and maximum of `values`, of which there is at least one.
fn spread(mut values: Vec<f64>) -> Spread {
    values.sort_by(f64::total_cmp);
    let rounds = values.len();
    let median = (values[(rounds - 1) / 2] + values[rounds / 2]) / 2.0;
    Spread { min: values[0], median, max: values[rounds - 1], rounds }
}

impl Line<'_> {
    /// The line for machines. The names in it are ours, but for the backend's, which comes from
    /// the environment and is therefore escaped.
    fn json(&self, workload: &str) -> String {
        let Series { setting, system, backend, .. } = self.series;
        let Spread { min, median, max, rounds } = self.spread;
        let metric = self.metric;
        format!(
            "{{\"workload\":\"{workload}\",\"setting\":\"{setting}\",\"system\":\"{system}\",\
             \"backend\":{backend:?},\"metric\":\"{metric}\",\"min\":{min:.4},\
             \"median\":{median:.4},\"max\":{max:.4},\"rounds\":{rounds}}}",
        )
    }
}

/// Prints one line a figure, the columns aligned.
fn table(lines: &[Line<'_>]) {
    println!(
        "{:<15} {:<13} {:<8} {:<22} {:>9} {:>9} {:>9}",
        "setting", "system", "backend", "metric", "min", "median", "max"
    );
    for Line { series, metric, spread: Spread { min, median, max, .. } } in lines {
        println!(
            "{:<15} {:<13} {:<8} {metric:<22} {min:>9.3} {median:>9.3} {max:>9.3}",
            series.setting, series.system, series.backend
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Counts;
    use crate::ping_pong::RATIO;

    fn series(system: &'static str, cpu_ms: &[u64]) -> Series {
        let sample = |ms: &u64| Sample {
            cpu: Duration::from_millis(*ms),
            wall: Duration::from_millis(2 * ms),
            counts: Counts::Syscalls(6_000),
        };
        let samples = cpu_ms.iter().map(sample).collect();
        Series { samples, ..Series::new("tcp x1", system, "uring".into(), 1_000) }
    }

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_the_two_in_the_middle() {
        assert_eq!(spread(vec![3.0, 1.0, 2.0]).median, 2.0);
        let even = Spread { min: 1.0, median: 2.5, max: 4.0, rounds: 4 };
        assert_eq!(spread(vec![4.0, 1.0, 2.0, 3.0]), even);
    }

    #[test]
    fn the_ratio_is_taken_round_by_round() {
        let all = [series("corio", &[20, 30]), series("raw-uring", &[10, 20])];
        let line = ratio(&RATIO, &all[0], &all).expect("the floor ran");
        assert_eq!(line.spread, Spread { min: 1.5, median: 1.75, max: 2.0, rounds: 2 });
        assert!(ratio(&RATIO, &all[1], &all).is_none());
        assert!(ratio(&RATIO, &all[0], &all[..1]).is_none());
        let without_floor = [series("corio", &[20]), series("raw-uring", &[])];
        assert!(ratio(&RATIO, &without_floor[0], &without_floor).is_none());
    }

    #[test]
    fn a_json_line_has_the_agreed_shape() {
        let corio = series("corio", &[10, 12, 20]);
        let line = figures(&corio, Unit::Microseconds)
            .next()
            .expect("there are figures")
            .json("ping_pong");
        let expected = concat!(
            r#"{"workload":"ping_pong","setting":"tcp x1","system":"corio","backend":"uring","#,
            r#""metric":"cpu_us_per_op","min":10.0000,"median":12.0000,"max":20.0000,"rounds":3}"#
        );
        assert_eq!(line, expected);
    }
}
