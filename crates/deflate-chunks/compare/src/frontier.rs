//! How fast an encoder is at a size that it does not have exactly.

/// The speed at a size on the line through an encoder's points, of which those that are slower and larger than another
/// are left out. Between two points, the logarithm of the speed is interpolated. Beyond the ends it is that of the end.
pub fn speed_at(points: &[(usize, f64)], size: usize) -> f64 {
    let mut sorted = points.to_vec();
    sorted.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
    let mut frontier: Vec<(usize, f64)> = Vec::new();
    for point in sorted {
        if frontier.last().is_none_or(|last| point.1 > last.1) {
            frontier.push(point);
        }
    }
    let above = frontier.iter().position(|point| point.0 >= size);
    match above {
        None => frontier[frontier.len() - 1].1,
        Some(0) => frontier[0].1,
        Some(index) => {
            let ((low, slow), (high, fast)) = (frontier[index - 1], frontier[index]);
            let part = (size - low) as f64 / (high - low) as f64;
            (slow.ln() + part * (fast.ln() - slow.ln())).exp()
        }
    }
}

pub fn geometric_mean(values: impl Iterator<Item = f64>) -> f64 {
    let logarithms: Vec<f64> = values.map(f64::ln).collect();
    (logarithms.iter().sum::<f64>() / logarithms.len() as f64).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_between_and_beyond_the_points() {
        let points = [(100, 10.0), (200, 40.0), (150, 9.0)];
        assert!((speed_at(&points, 150) - 20.0).abs() < 1e-9);
        assert!((speed_at(&points, 50) - 10.0).abs() < 1e-9);
        assert!((speed_at(&points, 500) - 40.0).abs() < 1e-9);
    }
}
