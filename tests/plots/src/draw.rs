//! Curves as SVG, both axes logarithmic: what grows in proportion is a line that rises one for one.

use std::path::Path;

use plotters::prelude::*;

pub struct Plot {
    pub title: &'static str,
    pub x: &'static str,
    pub y: &'static str,
    pub curves: Vec<Curve>,
}

pub struct Curve {
    pub name: &'static str,
    pub points: Vec<(f64, f64)>,
}

const COLOURS: [RGBColor; 3] = [RGBColor(0, 90, 160), RGBColor(200, 80, 0), RGBColor(90, 90, 90)];

impl Plot {
    pub fn draw(&self, file: &Path) {
        let all = || self.curves.iter().flat_map(|curve| &curve.points);
        let least = |of: fn(&(f64, f64)) -> f64| all().map(of).fold(f64::INFINITY, f64::min);
        let most = |of: fn(&(f64, f64)) -> f64| all().map(of).fold(0.0, f64::max);
        let (across, up) = (|point: &(f64, f64)| point.0, |point: &(f64, f64)| point.1);

        let area = SVGBackend::new(file, (720, 440)).into_drawing_area();
        area.fill(&WHITE).unwrap();
        let mut chart = ChartBuilder::on(&area)
            .caption(self.title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(44)
            .y_label_area_size(64)
            .build_cartesian_2d(
                (least(across)..most(across)).log_scale(),
                (least(up) / 1.5..most(up) * 1.5).log_scale(),
            )
            .unwrap();
        let number = |value: &f64| format!("{value}");
        chart
            .configure_mesh()
            .x_desc(self.x)
            .y_desc(self.y)
            .x_label_formatter(&number)
            .y_label_formatter(&number)
            .light_line_style(WHITE.mix(0.0))
            .draw()
            .unwrap();
        for (Curve { name, points }, colour) in self.curves.iter().zip(COLOURS) {
            let line = LineSeries::new(points.iter().copied(), colour.stroke_width(2));
            chart
                .draw_series(line)
                .unwrap()
                .label(*name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
            chart.draw_series(points.iter().map(|&point| Circle::new(point, 3, colour.filled()))).unwrap();
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE)
            .border_style(BLACK.mix(0.3))
            .label_font(("sans-serif", 14))
            .draw()
            .unwrap();
        area.present().unwrap();
    }
}
