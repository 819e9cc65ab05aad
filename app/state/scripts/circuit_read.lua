-- Look at one circuit.
-- ARGV[2]  milliseconds of one bucket
return answer(false, sums(tonumber(ARGV[2])))
