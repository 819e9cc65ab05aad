-- Let one call through, grant it a probe's place, or refuse it.
-- ARGV[2]  most probes at a time
-- ARGV[3]  milliseconds for which a probe may hold its place
if circuit.state == 'closed' then return answer('') end
if circuit.state == 'open' and circuit.forced == 0 and now >= circuit.till then
  circuit.state, circuit.since, entered = 'half_open', now, true
end
if circuit.state == 'open' then return answer(false) end

local leases, held = {}, 0
for slot, ends in pairs(circuit.leases) do
  if ends > now then leases[slot], held = ends, held + 1 end
end
circuit.leases = leases
local slot = false
if held < tonumber(ARGV[2]) then
  circuit.leased = circuit.leased + 1
  slot = string.format('p%d', circuit.leased)
  leases[slot] = now + tonumber(ARGV[3])
end
save()
return answer(slot)
