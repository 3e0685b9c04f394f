-- SQLite compares text byte by byte: there is nothing to be done.
SELECT 1;
