-- Do as an operator says.
-- ARGV[3]  open, close or reset
if ARGV[3] == 'reset' then circuit.openings = 0 end
enter(ARGV[3] == 'open' and 'open' or 'closed')
circuit.forced = ARGV[3] == 'open' and 1 or 0
save()
return answer(false)
