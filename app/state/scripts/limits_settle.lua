-- Give back what a call did not need, and add what it needed more.
-- KEYS     buckets and places, as for taking
-- ARGV[1]  the name of the places of this call
-- then for each key four:
--   rate   the work that is owed (negative: to be given back), and the hold: served, moved, born
--   places '', '', '', ''
for i, key in ipairs(KEYS) do
  local at = 4 * i - 2
  local owed = tonumber(ARGV[at])
  if not owed then
    redis.call('ZREM', key, ARGV[1])
  else
    local served, moved, born = bucket(key)
    local given = 0
    if owed > 0 then
      served = math.max(served, now) + owed
    elseif born == tonumber(ARGV[at + 3]) then
      local unserved = tonumber(ARGV[at + 1]) - (moved - tonumber(ARGV[at + 2])) - now
      given = math.min(-owed, math.max(0, unserved))
    end
    if owed > 0 or given > 0 then save(key, served - given, moved + given, born) end
  end
end
return 1
