-- Look at one circuit.
-- ARGV[3]  milliseconds of one bucket
return answer(false, sums(tonumber(ARGV[3])))
