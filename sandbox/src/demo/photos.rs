//! The demo's photographs: varied images made from a seed, so that nothing has to be fetched.
//!
//! A small canvas is painted pixel by pixel and then enlarged by the `image` crate, which is
//! compiled optimised in every profile: all of them take a few seconds of one core.

use image::imageops::FilterType;
use image::{DynamicImage, ImageFormat, ImageResult, Rgb, RgbImage};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Photographs of ordinary size, and small ones that no thumbnail may enlarge.
const LARGE: u64 = 40;
const SMALL: u64 = 4;
/// The painted canvas has this share of the photograph's width and height.
const CANVAS_SHARE: u32 = 12;

/// A photograph to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photo {
    /// Its key in the bucket.
    pub key: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    seed: u64,
}

impl Photo {
    /// All photographs of a demo.
    pub fn all(seed: u64) -> Vec<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (1..=LARGE + SMALL)
            .map(|nth| {
                let sides = if nth > LARGE { 90..200 } else { 800..1600 };
                let width = rng.random_range(sides);
                let height = width * rng.random_range(50..100) / 75;
                let kind = if nth % 8 == 0 { "png" } else { "jpg" };
                Self {
                    key: format!("photos/{nth:04}.{kind}"),
                    width,
                    height: height.min(1800),
                    seed: rng.random(),
                }
            })
            .collect()
    }

    /// Paints it and encodes it as its key's ending says.
    pub fn render(&self) -> ImageResult<Vec<u8>> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let (width, height) = (self.width / CANVAS_SHARE, self.height / CANVAS_SHARE);
        let mut canvas = gradient(width.max(2), height.max(2), &mut rng);
        match rng.random_range(0..3) {
            0 => shapes(&mut canvas, &mut rng),
            1 => noise(&mut canvas, &mut rng),
            _ => {
                shapes(&mut canvas, &mut rng);
                noise(&mut canvas, &mut rng);
            }
        }
        let photo = DynamicImage::ImageRgb8(canvas);
        let photo = photo.resize_exact(self.width, self.height, FilterType::Triangle);
        // Through a file: an encoder that writes anywhere else is compiled with this crate, which
        // in a debug build makes it several times as slow.
        let file = tempfile::NamedTempFile::new()?;
        photo.save_with_format(file.path(), ImageFormat::from_path(&self.key)?)?;
        Ok(std::fs::read(file.path())?)
    }
}

fn colour(rng: &mut impl Rng) -> [f32; 3] {
    std::array::from_fn(|_| rng.random_range(0.0..255.0))
}

/// Two colours that flow into each other along a slanted line.
fn gradient(width: u32, height: u32, rng: &mut impl Rng) -> RgbImage {
    let (from, to) = (colour(rng), colour(rng));
    let (across, down): (f32, f32) = (rng.random_range(0.0..1.0), rng.random_range(0.0..1.0));
    let reach = (across + down).max(0.1);
    RgbImage::from_fn(width, height, |x, y| {
        let (x, y) = (share(x, width), share(y, height));
        let at = (across * x + down * y) / reach;
        Rgb(std::array::from_fn(|c| {
            pixel(from[c] + (to[c] - from[c]) * at)
        }))
    })
}

/// A few discs, as large as a third of the picture.
fn shapes(canvas: &mut RgbImage, rng: &mut impl Rng) {
    let (width, height) = canvas.dimensions();
    for _ in 0..rng.random_range(4..10) {
        let (x, y): (f32, f32) = (rng.random_range(0.0..1.0), rng.random_range(0.0..1.0));
        let radius: f32 = rng.random_range(0.03..0.3);
        let paint = colour(rng).map(pixel);
        for (px, py, point) in canvas.enumerate_pixels_mut() {
            let (dx, dy) = (share(px, width) - x, share(py, height) - y);
            if dx * dx + dy * dy < radius * radius {
                *point = Rgb(paint);
            }
        }
    }
}

/// Grain, as of a film.
fn noise(canvas: &mut RgbImage, rng: &mut impl Rng) {
    let strength: f32 = rng.random_range(8.0..30.0);
    for point in canvas.pixels_mut() {
        let grain = rng.random_range(-strength..strength);
        point.0 = point.0.map(|channel| pixel(f32::from(channel) + grain));
    }
}

fn share(at: u32, of: u32) -> f32 {
    at as f32 / of as f32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the range of a byte"
)]
fn pixel(value: f32) -> u8 {
    value.clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photographs_decode_to_the_size_they_promise() {
        let photos = Photo::all(1);
        let small = photos.last().unwrap();
        for photo in [&photos[0], &photos[7], small] {
            let decoded = image::load_from_memory(&photo.render().unwrap()).unwrap();
            let size = (decoded.width(), decoded.height());
            assert_eq!(size, (photo.width, photo.height), "{}", photo.key);
        }
    }

    #[test]
    fn a_seed_repeats_its_photographs_and_they_differ_from_one_another() {
        let photos = Photo::all(1);
        assert_eq!(photos, Photo::all(1));
        let renderings: std::collections::BTreeSet<_> = photos[36..]
            .iter()
            .map(|photo| photo.render().unwrap())
            .collect();
        assert_eq!(renderings.len(), photos[36..].len());
    }

    #[test]
    fn some_photographs_are_smaller_than_any_thumbnail() {
        let small = Photo::all(1).into_iter().filter(|photo| photo.width < 200);
        assert_eq!(small.count(), 4);
    }
}
