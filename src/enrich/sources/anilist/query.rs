//! The queries for AniList, with the fields that the pipeline requests. Their text differs, and so do the keys of the
//! entries: a key is made of every byte of the query.

/// The paged lists of a title: their names in a response, and their queries.
pub(crate) const LISTS: [(&str, &str); 3] = [
    (
        "characters",
        "query ($id: Int!, $page: Int!) { Media(id: $id, type: ANIME) { \
         characters(page: $page, perPage: 25, sort: ROLE) { pageInfo { hasNextPage } edges { role \
         node { id name { full native alternative alternativeSpoiler } image { large medium } favourites gender } \
         voiceActors(language: JAPANESE) { id name { full native } } } } } }",
    ),
    (
        "staff",
        "query ($id: Int!, $page: Int!) { Media(id: $id, type: ANIME) { \
         staff(page: $page, perPage: 25, sort: RELEVANCE) { pageInfo { hasNextPage } edges { role \
         node { id name { full native } } } } } }",
    ),
    (
        "airingSchedule",
        "query ($id: Int!, $page: Int!) { Media(id: $id, type: ANIME) { \
         airingSchedule(page: $page, perPage: 50) { pageInfo { hasNextPage } edges { \
         node { id episode airingAt } } } } }",
    ),
];

/// The title itself.
pub(crate) const MEDIA: &str = "query ($id: Int!) { Media(id: $id, type: ANIME) { \
     id idMal title { romaji english native userPreferred } description(asHtml: false) source format episodes duration \
     status season seasonYear countryOfOrigin isAdult hashtag coverImage { extraLarge large medium color } bannerImage \
     trailer { id site thumbnail } averageScore meanScore popularity favourites trending genres synonyms \
     tags { id name description category rank isGeneralSpoiler isMediaSpoiler isAdult } \
     relations { edges { relationType node { id title { romaji english } format status } } } \
     studios { edges { isMain node { id name isAnimationStudio } } } \
     externalLinks { id url site type language color icon } streamingEpisodes { title thumbnail url site } \
     nextAiringEpisode { episode airingAt timeUntilAiring } \
     rankings { id rank type format year season allTime context } \
     stats { scoreDistribution { score amount } statusDistribution { status amount } } updatedAt } }";
