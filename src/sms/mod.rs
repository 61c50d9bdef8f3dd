//! What is true of text messages everywhere: numbers, encodings, segments.
