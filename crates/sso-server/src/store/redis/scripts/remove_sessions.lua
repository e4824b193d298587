-- Store::remove_all: these sessions, with all that leads to them.
local count = 0
for n = 3, #ARGV do
  if remove(ARGV[n]) then count = count + 1 end
end
return { tostring(count) }
