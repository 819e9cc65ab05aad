-- Take note of how calls of one generation ended.
-- ARGV[2]  their generation                      ARGV[3]  slot of a probe, or ''
-- ARGV[4]  how many ended well                   ARGV[5]  how many failed
-- ARGV[6]  least milliseconds to stay open       ARGV[7]  what chance makes of a grown time, as a factor
-- ARGV[8]  failures that open                    ARGV[9]  least share of them
-- ARGV[10] milliseconds open, doubled in a row   ARGV[11] most milliseconds open
-- ARGV[12] milliseconds of one bucket
local slot, completed, failed = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
if tonumber(ARGV[2]) ~= circuit.generation then return answer(false) end

local function open()
  enter('open')
  local first, most = tonumber(ARGV[10]), tonumber(ARGV[11])
  local grown = math.min(most, first * 2 ^ math.min(circuit.openings, 30))
  circuit.till = now + math.max(math.floor(grown * tonumber(ARGV[7])), math.min(first, most), tonumber(ARGV[6]))
  circuit.openings = circuit.openings + 1
  save()
end

if circuit.state == 'half_open' and slot ~= '' then
  if failed > 0 then
    open()
  elseif completed > 0 then
    circuit.openings = 0
    enter('closed')
    save()
  else
    circuit.leases[slot] = nil
    save()
  end
elseif circuit.state == 'closed' and failed + completed > 0 then
  local width = tonumber(ARGV[12])
  local bucket = string.format('%d', math.floor(now / width))
  local calls = redis.call('HINCRBY', KEYS[2], 'c' .. bucket, failed + completed)
  if failed > 0 then redis.call('HINCRBY', KEYS[2], 'f' .. bucket, failed) end
  redis.call('PEXPIRE', KEYS[2], 2 * BUCKETS * width)
  if failed > 0 or calls == failed + completed then -- a new bucket: time to look which have left the window
    local failures, all = sums(width)
    if failed == 0 then return answer(false) end
    if failures >= tonumber(ARGV[8]) and failures >= tonumber(ARGV[9]) * all then open() end
    return answer(false, failures, all)
  end
end
return answer(false)
