-- What every decision about spending begins with: app/state/budgets/memory.py in the words of Redis. Amounts are nano-dollars.
-- KEYS     one hash for each account: 's' what was spent in the period of a calendar, 'b<n>' in bucket n of a rolling
--          window, 'h:<id>' a hold as '<amount>:<end in milliseconds>'
local BUCKETS = 60

local now = milliseconds()

-- Sum up one account, and take out what has left its window and the holds of processes that died.
local function level(key, width)
  local spent, held, fields = 0, 0, redis.call('HGETALL', key)
  for i = 1, #fields, 2 do
    local field, value = fields[i], fields[i + 1]
    local kind = field:sub(1, 1)
    if kind == 'h' then
      local amount, ends = value:match('^(%d+):(%d+)$')
      if tonumber(ends) > now then
        held = held + tonumber(amount)
      else
        redis.call('HDEL', key, field)
      end
    elseif kind == 'b' and tonumber(field:sub(2)) <= math.floor(now / width) - BUCKETS then
      redis.call('HDEL', key, field)
    else
      spent = spent + tonumber(value)
    end
  end
  return spent, held
end
