-- What 001700 makes now is what is here.
SELECT 1;
