const = ;
function {
