-- Going up there is nothing to do; going down there is.
SELECT 1;
