/* mustache.js 4.2.0 */
