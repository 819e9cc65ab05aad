-- Do as an operator says.
-- ARGV[2]  open, close or reset
if ARGV[2] == 'reset' then circuit.openings = 0 end
enter(ARGV[2] == 'open' and 'open' or 'closed')
circuit.forced = ARGV[2] == 'open' and 1 or 0
save()
return answer(false)
